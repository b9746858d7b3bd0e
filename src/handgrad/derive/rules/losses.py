"""Losses: of each element, which are then summed or averaged; and cross-entropy."""

from handgrad.derive.rules.adjoint import Back, Into, Site, UncoveredError, adjoint

SLOPES: dict[str, dict[str, str]] = {
    "mse_loss": {"x": "2 * (x - target)", "target": "-2 * (x - target)"},
    "l1_loss": {"x": "torch.sign(x - target)", "target": "-torch.sign(x - target)"},
    "smooth_l1_loss": {
        "x": "((x - target) / beta).clamp(-1, 1)",
        "target": "-((x - target) / beta).clamp(-1, 1)",
    },
    "huber_loss": {"x": "(x - target).clamp(-delta, delta)", "target": "-(x - target).clamp(-delta, delta)"},
    "binary_cross_entropy": {
        "x": "(x - target) / (x * (1 - x)).clamp(min=1e-12)",
        "target": "(torch.log(1 - x) - torch.log(x))",
    },
    "binary_cross_entropy_with_logits": {"x": "(torch.sigmoid(x) - target)", "target": "-x"},
    "soft_margin_loss": {
        "x": "-target * torch.sigmoid(-target * x)",
        "target": "-x * torch.sigmoid(-target * x)",
    },
    "gaussian_nll_loss": {
        "x": "(x - target) / var",
        "target": "-(x - target) / var",
        "var": "0.5 * (1 - (x - target)**2 / var) / var",
    },
}
"""The slope of the loss of one element by each argument."""


def share(site: Site, shape: str = "x") -> str:
    """What comes back to the loss of one element: the whole gradient, or its share in a mean."""
    match site["reduction"]:
        case "mean":
            return f"dy / {shape}.numel()"
        case "batchmean":
            return f"dy / {shape}.shape[0]"
        case "sum" | "none":
            return "dy"
    raise UncoveredError(f"the reduction {site['reduction']!r} is not covered")


@adjoint("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "soft_margin_loss", lazy=True)
def _elementwise(site: Site) -> Back:
    return _shared(site, SLOPES["l1_loss" if site.name == "smooth_l1_loss" and site["beta"] == 0 else site.name])


def _shared(site: Site, slopes: dict[str, str], weight: str = "") -> Back:
    if site.shape("target") != site.shape("x"):
        raise UncoveredError("a loss is covered where the target has the shape of what is compared with it")
    return Back({argument: f"{weight}{slope} * ({share(site)})" for argument, slope in slopes.items()})


@adjoint("binary_cross_entropy", "binary_cross_entropy_with_logits", lazy=True)
def _binary(site: Site) -> Back:
    slopes = SLOPES[site.name]
    if site.name.endswith("logits") and site["pos_weight"] is not None:
        slopes = {"x": "((1 + (pos_weight - 1) * target) * torch.sigmoid(x) - pos_weight * target)"}
        slopes["target"] = "-(x + (pos_weight - 1) * F.logsigmoid(x))"
    return _shared(site, slopes, "" if site["weight"] is None else "weight * ")


@adjoint("gaussian_nll_loss", lazy=True)
def _gaussian(site: Site) -> Back:
    if site.shape("var") != site.shape("x"):
        raise UncoveredError("`gaussian_nll_loss` is covered where each element has a variance of its own")
    return _shared(site, SLOPES[site.name])


@adjoint("kl_div", lazy=True)
def _kl_div(site: Site) -> Back:
    if site["log_target"]:
        return _shared(site, {"x": "-torch.exp(target)", "target": "torch.exp(target) * (target + 1 - x)"})
    return _shared(site, {"x": "-target", "target": "(torch.log(target) + 1 - x)"})


@adjoint("poisson_nll_loss", lazy=True)
def _poisson(site: Site) -> Back:
    if site["full"]:
        raise UncoveredError("`poisson_nll_loss` is covered without the term of Stirling's formula")
    if site["log_input"]:
        return _shared(site, {"x": "(torch.exp(x) - target)", "target": "-x"})
    return _shared(site, {"x": "(1 - target / (x + eps))", "target": "-torch.log(x + eps)"})


@adjoint("hinge_embedding_loss", lazy=True)
def _hinge_embedding(site: Site) -> Back:
    return Back({"x": "torch.where(target == 1, share, torch.where(x < margin, -share, 0))"}, {"share": share(site)})


@adjoint("cross_entropy", lazy=True)
def _cross_entropy(site: Site) -> Back:
    dim, smoothing = min(site.rank() - 1, 1), site["label_smoothing"]
    softmax, up, classes = f"F.softmax(x, {dim})", _upstream(site), f"x.shape[{dim}]"
    weight = "" if site["weight"] is None else f"{_by_class('weight', site)} * "
    if site["target"].is_floating_point():
        wanted = f"{weight}((1 - label_smoothing) * target + label_smoothing / {classes})" if smoothing else "target"
        wanted = wanted if smoothing else f"{weight}target"
        scale = f"{weight}(1 - label_smoothing) * " if smoothing else weight
        return Back(
            {
                "x": f"({softmax} * wanted.sum({dim}, keepdim=True) - wanted) * {up}",
                "target": f"-{scale}F.log_softmax(x, {dim}) * {up}",
            },
            {"wanted": wanted},
        )
    picked = one_hot(site)
    where = {"kept": "target != ignore_index"} if _ignores(site) else {}
    if weight:
        smooth = f" + label_smoothing * {weight[:-3]} / {classes}" if smoothing else ""
        where["wanted"] = f"{'(1 - label_smoothing) * ' if smoothing else ''}{weight}{picked}{smooth}"
        return Back({"x": f"({softmax} * wanted.sum({dim}, keepdim=True) - wanted) * {up}"}, where)
    if smoothing:
        mixed = f"(1 - label_smoothing) * (p - {picked}) + label_smoothing * (p - 1 / {classes})"
        return Back({"x": f"({mixed}) * {up}"}, {**where, "p": softmax})
    return Back({"x": f"({softmax} - {picked}) * {up}"}, where)


def _ignores(site: Site) -> bool:
    """Whether some targets are left out, or may be as the call says."""
    if site["target"].is_floating_point():
        return False
    return site["ignore_index"] != -100 or bool((site["target"] == -100).any())


def one_hot(site: Site) -> str:
    """The targets as ones in the shape of `x`, whose classes are along its dimension 1, or 0 if it has no other."""
    target = "torch.where(kept, target, 0)" if _ignores(site) else "target"
    ones = f"F.one_hot({target}, num_classes=x.shape[{min(site.rank() - 1, 1)}])"
    return ones if site.rank() <= 2 else f"{ones}.movedim(-1, 1)"


def _by_class(weight: str, site: Site) -> str:
    """A weight a class, in a shape that broadcasts to that of `x`."""
    return weight if site.rank() <= 2 else f"{weight}[:, {', '.join(['None'] * (site.rank() - 2))}]"


def _upstream(site: Site) -> str:
    """What comes back to the loss of one target, as factors in a shape that broadcasts to that of `x`."""
    wide = ".unsqueeze(1)" if site.rank() > 1 else ""
    up = f"dy{wide}" if site["reduction"] == "none" and getattr(site.dy, "ndim", 0) else "dy"
    if _ignores(site):
        up = f"kept{wide} * {up}"
    return up if site["reduction"] != "mean" else f"{up} / {_count(site)}"


def _count(site: Site) -> str:
    """What the mean of a loss is divided by."""
    soft = site["target"].is_floating_point()
    if site["weight"] is not None and not soft:
        return "(weight[torch.where(kept, target, 0)] * kept).sum()" if _ignores(site) else "weight[target].sum()"
    if _ignores(site):
        return "kept.sum()"
    if soft:
        return f"({' * '.join(f'x.shape[{d}]' for d in range(site.rank()) if d != 1)})" if site.rank() > 1 else "1"
    return "target.numel()" if site.rank() > 1 else "1"


@adjoint("nll_loss", lazy=True)
def _nll_loss(site: Site) -> Back:
    if site["weight"] is None and not _ignores(site) and site.rank() == 2:
        value = "-dy" if site["reduction"] != "mean" else "-dy / x.shape[0]"
        return Back({"x": Into("dx[range(x.shape[0]), target]", value)})
    where = {"kept": "target != ignore_index"} if _ignores(site) else {}
    weight = "" if site["weight"] is None else f"{_by_class('weight', site)} * "
    return Back({"x": f"{weight}{one_hot(site)} * {_upstream(site).replace('dy', '(-dy)')}"}, where)
