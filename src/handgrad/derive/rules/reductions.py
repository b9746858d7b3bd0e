"""Sums, means, norms, maxima: what comes back is spread over what was reduced."""

from typing import Any

from handgrad.derive.rules.adjoint import Back, Site, UncoveredError, adjoint


def wide(site: Site, value: str = "dy") -> str:
    """A value of the result's shape with the dimensions put back that were reduced, as far as they do not broadcast."""
    shape = getattr(site.result if value != "dy" else site.dy, "shape", ())
    dims = site.dims()
    if site["keepdim"] or len(dims) == site.rank():
        return value
    index = ["None" if d in dims else ":" for d in range(site.rank())]
    while index.count(":") > len(shape):
        index.pop(0)
    while index and index[0] == "None":
        index.pop(0)
    after = index[::-1].index(":") if ":" in index else len(index)
    if not index or "None" not in index:
        return value
    if index.count("None") == after and len(index) - after > 1:
        return f"{value}[..., {', '.join(index[len(index) - after :])}]"
    while index[-1] == ":":
        index.pop()
    return f"{value}[{', '.join(index)}]"


def count(site: Site) -> str:
    """How many elements each element of the result was made of."""
    dims = site.dims()
    if len(dims) == site.rank() > 1:
        return "x.numel()"
    sizes = [f"x.shape[{d}]" for d in dims]
    return f"({' * '.join(sizes)})" if len(sizes) > 1 else "".join(sizes) or "1"


def centred(site: Site) -> str:
    """`x` less its mean over the dimensions that are reduced."""
    whole = site["dim"] is None
    return "(x - x.mean())" if whole else f"(x - x.mean({over(site)}, keepdim=True))"


def over(site: Site) -> str:
    """The dimensions that are reduced, as the program has them."""
    return "dim" if site["dim"] is not None else str(site.dims())


@adjoint("sum", lazy=True)
def _sum(site: Site) -> Back:
    return Back({"x": wide(site)})


@adjoint("mean", lazy=True)
def _mean(site: Site) -> Back:
    return Back({"x": f"{wide(site)} / {count(site)}"})


@adjoint("nansum", lazy=True)
def _nansum(site: Site) -> Back:
    return Back({"x": f"~torch.isnan(x) * {wide(site)}"})


def _degrees(site: Site) -> str:
    """What the sum of squares is divided by."""
    correction = site["correction"]
    if correction == 0:
        return count(site)
    return f"({count(site)} - {int(correction) if site.literal('correction') else 'correction'})"


@adjoint("var", lazy=True)
def _var(site: Site) -> Back:
    return Back({"x": f"2 / {_degrees(site)} * {centred(site)} * {wide(site)}"})


@adjoint("std", lazy=True)
def _std(site: Site) -> Back:
    down = wide(site, "u")
    return Back({"x": f"{centred(site)} / {_degrees(site)} * {down}"}, {"u": "dy / torch.where(y == 0, 1, y)"})


@adjoint("var_mean", "std_mean", lazy=True)
def _var_mean(site: Site) -> Back:
    if site.output == 1:
        return _mean(site)
    return (_var if site.name == "var_mean" else _std)(site)


@adjoint("logsumexp", lazy=True)
def _logsumexp(site: Site) -> Back:
    return Back({"x": f"torch.exp(x - {wide(site, 'y')}) * {wide(site)}"})


@adjoint("norm", "vector_norm", lazy=True)
def _norm(site: Site) -> Back:
    import torch

    p = {None: 2, "fro": 2}.get(site["p"], site["p"])
    if isinstance(p, str) or not _same(
        torch.linalg.vector_norm(site["x"], p, site.dims(), bool(site["keepdim"])), site
    ):
        raise UncoveredError("of the norms of a matrix only the Frobenius norm is covered")
    y, dy = wide(site, "y"), wide(site)
    if p == 0:
        return Back({"x": "0 * x"})
    if p == 1:
        return Back({"x": f"torch.sign(x) * {dy}"})
    if p == 2:
        return Back({"x": f"x * {wide(site, 'u')}"}, {"u": "dy / torch.where(y == 0, 1, y)"})
    if p in (float("inf"), float("-inf")):
        tops = "top.sum()" if len(site.dims()) == site.rank() else f"top.sum({over(site)}, keepdim=True)"
        return Back({"x": f"torch.sign(x) * top * {dy} / {tops}"}, {"top": f"torch.abs(x) == {y}"})
    ratio = f"torch.abs(x) / torch.where({y} == 0, 1, {y})"
    return Back({"x": f"torch.sign(x) * ({ratio})**{round(p - 1, 12)} * {dy}"})


def _same(value: Any, site: Site) -> bool:
    import torch

    return value.shape == site.result.shape and torch.allclose(value, site.result)


@adjoint("amax", "amin", lazy=True)
def _amax(site: Site) -> Back:
    tops = "top.sum()" if len(site.dims()) == site.rank() else f"top.sum({over(site)}, keepdim=True)"
    return Back({"x": f"top * {wide(site)} / {tops}"}, {"top": f"x == {wide(site, 'y')}"})


@adjoint("max", "min", lazy=True)
def _max(site: Site) -> Back:
    if site["dim"] is None:
        return _amax(site)
    return _picked(site, site.name)


@adjoint("median", "nanmedian", "mode", "kthvalue", lazy=True)
def _median(site: Site) -> Back:
    return _amax(site) if site["dim"] is None else _picked(site, site.name)


def _picked(site: Site, method: str) -> Back:
    """What comes back to the elements that were picked along a dimension."""
    if not site.rank():
        return Back({"x": "dy"})
    (dim,) = site.dims()
    arguments = "k, dim" if method == "kthvalue" else "dim"
    picked = "y_1" if "y_1" in site.named and not site["keepdim"] else f"x.{method}({arguments}).indices"
    chosen = f"F.one_hot({picked}, num_classes=x.shape[{dim}])"
    if dim != site.rank() - 1:
        chosen += ".T" if site.rank() == 2 else f".movedim(-1, {dim})"
    return Back({"x": f"{chosen} * {wide(site)}"})
