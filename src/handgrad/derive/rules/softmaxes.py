"""Softmax and its kin, and what runs along a dimension: cumulative sums and products, differences, sorting."""

import re

from handgrad.derive.rules.adjoint import Back, Into, Site, UncoveredError, adjoint
from handgrad.derive.rules.joining import along
from handgrad.derive.rules.reductions import wide


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


@adjoint("normalize")
def _normalize(site: Site) -> Back:
    if site["p"] != 2:
        raise UncoveredError("`normalize` is covered by the Euclidean norm")
    size = {"norm": "x.norm(dim=dim, keepdim=True).clamp(min=eps)"}
    return Back({"x": "(dy - y * (dy * y).sum(dim, keepdim=True)) / norm"}, size)


@adjoint("cumsum")
def _cumsum(site: Site) -> Back:
    return Back({"x": "dy.flip(dim).cumsum(dim).flip(dim)" if site.rank() else "dy"})


def along_last(site: Site, template: str, where: dict[str, str]) -> Back:
    """A rule along the last dimension, used along the dimension that a call names."""
    if not site.rank():
        return Back({"x": "dy"})
    (dim,) = site.dims()
    if dim == site.rank() - 1:
        return Back({"x": template}, where)
    moved = {name: f"{name}.movedim({dim}, -1)" for name in ("x", "y", "dy")}
    swapped = {name: _renamed(text, moved) if "x.shape" not in text else text for name, text in where.items()}
    return Back({"x": f"({_renamed(template, moved)}).movedim(-1, {dim})"}, swapped)


def _renamed(template: str, names: dict[str, str]) -> str:
    return re.sub(r"\b(x|y|dy)\b", lambda match: names[match[0]], template)


@adjoint("logcumsumexp")
def _logcumsumexp(site: Site) -> Back:
    shares = {"shares": "torch.exp(x[..., :, None] - y[..., None, :]).triu()"}
    return along_last(site, "(shares * dy[..., None, :]).sum(-1)", shares)


@adjoint("cumprod")
def _cumprod(site: Site) -> Back:
    """For each element, the sum over the products from it on of all other factors: none is divided by it."""
    count = f"x.shape[{site.dims()[0]}]" if site.rank() else "1"
    where = {
        "before": "F.pad(x[..., :-1], (1, 0), value=1).cumprod(-1)",
        "later": f"torch.ones({count}, {count}, dtype=torch.bool, device=x.device).triu(1)",
        "after": "torch.where(later, x[..., None, :], 1).cumprod(-1).triu()",
    }
    return along_last(site, "before * (after * dy[..., None, :]).sum(-1)", where)


@adjoint("prod", lazy=True)
def _prod(site: Site) -> Back:
    """For each element, the product of all before it and all after it: none is divided by it."""
    if site["dim"] is None and site.rank() > 1:
        return Back({"x": "(before * after).view(x.shape) * dy"}, {"flat": "x.flatten()", **_products("flat", 0, 1)})
    if not site.rank():
        return Back({"x": "dy"})
    if len(site.dims()) != 1:
        raise UncoveredError("`prod` is covered along one dimension or over all elements")
    return Back({"x": f"before * after * {wide(site)}"}, _products("x", site.dims()[0], site.rank()))


def _products(x: str, dim: int, rank: int) -> dict[str, str]:
    """The products of all elements before each along a dimension, and of all after it."""
    rest = "0, 0, " * (rank - 1 - dim)
    return {
        "before": f"F.pad({x}[{along(dim, rank, ':-1')}], ({rest}1, 0), value=1).cumprod({dim})",
        "after": f"F.pad({x}[{along(dim, rank, '1:')}], ({rest}0, 1), value=1).flip({dim}).cumprod({dim}).flip({dim})",
    }


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
        return Back({"x": Into(call="dx.scatter_add_(dim, x.argsort(dim), dy)")})
    return Back({"x": Into(call="dx.scatter_add_(dim, y_1, dy)")})


@adjoint("msort")
def _msort(_: Site) -> Back:
    return Back({"x": Into(call="dx.scatter_add_(0, x.argsort(0), dy)")})
