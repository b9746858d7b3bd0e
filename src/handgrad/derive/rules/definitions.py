"""Functions by their definition in others, through which their gradient comes back.

The value of a definition is compared with the function's own when it is used, so that none is used where it does not
hold. It is written in PyTorch, of the names of the function's arguments.
"""

from collections.abc import Callable

from handgrad.derive.rules.adjoint import Site


def _reduced(loss: str) -> Callable[[Site], str]:
    """The definition of a loss of which each element is this."""
    return lambda site: f"({loss}){'' if site['reduction'] == 'none' else '.' + site['reduction'] + '()'}"


_COSINE = "(x * other).sum(-1) / torch.sqrt(((x**2).sum(-1) + 1e-12) * ((other**2).sum(-1) + 1e-12))"
_MARGINS = "(margin - x.gather(1, target[:, None]) + x).clamp(min=0)**p"

DEFINITIONS: dict[str, str | Callable[[Site], str | None]] = {
    "rsub": "other - alpha * x",
    "addmm": "beta * bias + alpha * (x @ other)",
    "addr": "beta * bias + alpha * (x[:, None] * other)",
    "addbmm": "beta * bias + alpha * (x @ other).sum(0)",
    "linear": lambda site: "x @ weight.T" if site["bias"] is None else "x @ weight.T + bias",
    "bilinear": lambda site: (
        f'torch.einsum("...i,oij,...j->...o", x, weight, other){"" if site["bias"] is None else " + bias"}'
    ),
    "inner": lambda site: "x @ other.T" if site.rank("other") == 2 else "(x * other).sum(-1)",
    "vdot": "(x * other).sum()",
    "outer": lambda site: "x[:, None] * other" if site.rank() == 1 else "x.flatten()[:, None] * other.flatten()",
    "vecdot": "(x * other).sum(dim)",
    "multi_dot": lambda site: " @ ".join(f"tensors_{i}" for i in range(len(site["tensors"]))),
    "matrix_power": lambda site: " @ ".join("x" * site["n"]) if site["n"] > 0 else None,
    "clamp_min": "x.clamp(min=min)",
    "clamp_max": "x.clamp(max=max)",
    "dist": "(x - other).norm(p)",
    "softmin": "torch.softmax(-x, dim)",
    "pairwise_distance": "(x - other + eps).norm(p, -1, keepdim=keepdim)",
    "cosine_similarity": "(x * other).sum(dim) / (x.norm(dim=dim) * other.norm(dim=dim))",
    "margin_ranking_loss": _reduced("(margin - target * (x - other)).clamp(min=0)"),
    "cosine_embedding_loss": _reduced(
        f"torch.where(target == 1, 1 - {_COSINE}, torch.where(target == -1, ({_COSINE} - margin).clamp(min=0), 0))"
    ),
    "triplet_margin_loss": _reduced(
        "((anchor - positive + eps).norm(p, -1) - (anchor - negative + eps).norm(p, -1) + margin).clamp(min=0)"
    ),
    "multi_margin_loss": _reduced(
        f"((torch.nn.functional.one_hot(target, x.shape[1]) == 0) * {_MARGINS}).sum(1) / x.shape[1]"
    ),
    "multilabel_soft_margin_loss": _reduced(
        "-(target * torch.nn.functional.logsigmoid(x) + (1 - target) * torch.nn.functional.logsigmoid(-x)).mean(-1)"
    ),
}


def definition_of(site: Site) -> str | None:
    """The definition of a call, in the names of its arguments; None where it has none."""
    definition = DEFINITIONS.get(site.name)
    return definition(site) if callable(definition) else definition
