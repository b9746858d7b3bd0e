"""Softmax and its kin, and what runs along a dimension: cumulative sums and products, differences, sorting."""

from handgrad.derive.rules.adjoint import Back, Into, Site, UncoveredError, adjoint


@adjoint("softmax")
def _softmax(_: Site) -> Back:
    return Back({"x": "y * (dy - (dy * y).sum(dim, keepdim=True))"})


@adjoint("log_softmax")
def _log_softmax(_: Site) -> Back:
    return Back({"x": "dy - torch.exp(y) * dy.sum(dim, keepdim=True)"})


@adjoint("glu")
def _glu(site: Site) -> Back:
    (dim,) = site.dims()
    where = {"halves": "x.chunk(2, dim)", "s": "torch.sigmoid(halves[1])"}
    return Back({"x": f"torch.cat([s * dy, halves[0] * s * (1 - s) * dy], {dim})"}, where)


@adjoint("normalize", lazy=False)
def _normalize(site: Site) -> Back:
    if site["p"] != 2:
        raise UncoveredError("`normalize` is covered by the Euclidean norm")
    size = {"norm": "torch.clamp(torch.linalg.vector_norm(x, dim=dim, keepdim=True), min=eps)"}
    return Back({"x": "(dy - y * (dy * y).sum(dim, keepdim=True)) / norm"}, size)


@adjoint("cumsum")
def _cumsum(_: Site) -> Back:
    return Back({"x": "dy.flip(dim).cumsum(dim).flip(dim)"})


@adjoint("logcumsumexp")
def _logcumsumexp(site: Site) -> Back:
    (dim,) = site.dims()
    pairs = f"torch.exp(x.unsqueeze({dim + 1}) - y.unsqueeze({dim}))"
    later = f"torch.arange(x.shape[{dim}], device=x.device)"
    place = "".join(", None" for _ in range(site.rank() - 1 - dim))
    mask = f"({later}[:, None] <= {later})"
    mask = f"{mask}[:, :{place}]" if place else mask
    return Back({"x": f"torch.where({mask}, {pairs}, 0).mul(dy.unsqueeze({dim})).sum({dim + 1})"})


@adjoint("prod")
def _prod(site: Site) -> Back:
    if site["dim"] is None and site.rank() > 1:
        flat = {"flat": "x.flatten()", **_products("flat", 0, 1)}
        return Back({"x": "(before * after * dy).view(x.shape)"}, flat)
    dim = 0 if site["dim"] is None else site.dims()[0]
    if len(site.dims()) != 1:
        raise UncoveredError("`prod` is covered along one dimension or over all elements")
    dy = "dy" if site["keepdim"] or site.rank() == 1 or dim == 0 else f"dy.unsqueeze({dim})"
    return Back({"x": f"before * after * {dy}"}, _products("x", dim, site.rank()))


def _products(x: str, dim: int, rank: int) -> dict[str, str]:
    """The products of all elements before each along a dimension, and of all after it."""
    start = ", ".join([":"] * dim + [":-1"])
    end = ", ".join([":"] * dim + ["1:"])
    rest = "0, 0, " * (rank - 1 - dim)
    return {
        "before": f"F.pad({x}[{start}], ({rest}1, 0), value=1).cumprod({dim})",
        "after": f"F.pad({x}[{end}], ({rest}0, 1), value=1).flip({dim}).cumprod({dim}).flip({dim})",
    }


@adjoint("cumprod")
def _cumprod(site: Site) -> Back:
    """For each element, the sum over the products from it on of all other factors: none is divided by it."""
    (dim,) = site.dims()
    place = "".join(", None" for _ in range(site.rank() - 1 - dim))
    count = f"torch.arange(x.shape[{dim}], device=x.device)"
    before = f"F.pad(x[{', '.join([':'] * dim + [':-1'])}], ({'0, 0, ' * (site.rank() - 1 - dim)}1, 0), value=1)"
    later = f"({count}[:, None] < {count})"
    same = f"({count}[:, None] <= {count})"
    later, same = (f"{mask}[:, :{place}]" if place else mask for mask in (later, same))
    return Back(
        {"x": f"before * (torch.where({same}, between, 0) * dy.unsqueeze({dim})).sum({dim + 1})"},
        {
            "before": f"{before}.cumprod({dim})",
            "between": f"torch.where({later}, x.unsqueeze({dim}), 1).cumprod({dim + 1})",
        },
    )


@adjoint("cummax", "cummin")
def _cummax(_: Site) -> Back:
    return Back({"x": Into(call="dx.scatter_add_(dim, y_1, dy)")})


@adjoint("diff")
def _diff(site: Site) -> Back:
    if site["n"] != 1:
        raise UncoveredError("`diff` is covered once: write it for each difference")
    (dim,) = site.dims()
    rest = "0, 0, " * (site.rank() - 1 - dim)
    return Back({"x": f"F.pad(dy, ({rest}1, 0)) - F.pad(dy, ({rest}0, 1))"})


@adjoint("sort", "topk")
def _sort(site: Site) -> Back:
    if site.output is None:
        return Back({"x": Into(call="dx.scatter_(dim, x.argsort(dim), dy)")})
    return Back({"x": Into(call="dx.scatter_(dim, y_1, dy)")})


@adjoint("msort")
def _msort(_: Site) -> Back:
    return Back({"x": Into(call="dx.scatter_(0, x.argsort(0), dy)")})
