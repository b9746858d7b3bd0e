"""Functions that move or repeat elements: what comes back is moved back, and summed where it was repeated."""

from handgrad.derive.rules.adjoint import Back, Into, Site, UncoveredError, adjoint
from handgrad.derive.rules.joining import COUNTED, PLACES


@adjoint("view", "reshape", "flatten", "ravel", "unflatten", "view_as", "atleast_1d", "atleast_2d", "atleast_3d")
def _view(site: Site) -> Back:
    if tuple(site.result.shape) == site.shape():
        return Back({"x": "dy"})
    method = "view" if site.name in ("view", "view_as") and site.dy.is_contiguous() else "reshape"
    return Back({"x": f"dy.{method}(x.shape)"})


@adjoint("squeeze")
def _squeeze(site: Site) -> Back:
    return Back({"x": "dy" + "".join(f".unsqueeze({d})" for d in site.dims() if site.shape()[d] == 1)})


@adjoint("unsqueeze")
def _unsqueeze(site: Site) -> Back:
    dims = site["dim"] if isinstance(site["dim"], tuple) else (site["dim"],)
    added = tuple(d % max(site.result.ndim, 1) for d in dims)
    return Back({"x": f"dy.squeeze({added if len(added) > 1 else added[0]})"})


@adjoint("t")
def _t(site: Site) -> Back:
    if site.rank() <= 2:
        return Back({"x": "dy.T"})
    return Back({"x": f"dy.permute({', '.join(str(d) for d in reversed(range(site.rank())))})"})


@adjoint("t_last")
def _t_last(_: Site) -> Back:
    return Back({"x": "dy.transpose(-2, -1)"})


@adjoint("transpose")
def _transpose(site: Site) -> Back:
    dims = {site["dim0"] % max(site.rank(), 1), site["dim1"] % max(site.rank(), 1)}
    if site.rank() == 2 and len(dims) == 2:
        return Back({"x": "dy.T"})
    return Back({"x": f"dy.transpose({'-2, -1' if dims == {site.rank() - 2, site.rank() - 1} else 'dim0, dim1'})"})


@adjoint("permute")
def _permute(site: Site) -> Back:
    dims = [d % max(site.rank(), 1) for d in site["dims"] or reversed(range(site.rank()))]
    if dims == [1, 0]:
        return Back({"x": "dy.T"})
    return Back({"x": f"dy.permute({', '.join(str(dims.index(d)) for d in range(len(dims)))})"})


@adjoint("movedim")
def _movedim(_: Site) -> Back:
    return Back({"x": "dy.movedim(destination, source)"})


@adjoint("expand", "expand_as", "broadcast_to", lazy=True, broadcasts=True)
def _expand(_: Site) -> Back:
    return Back({"x": "dy"})


@adjoint("repeat", "tile")
def _repeat(site: Site) -> Back:
    times, rank = site["sizes"], site.rank()
    lead = len(times) - rank
    if lead < 0:
        return Back({"x": _folded([f"sizes_{d + lead}" if d >= -lead else "1" for d in range(rank)], 0, site)})
    return Back({"x": _folded([f"sizes_{d}" for d in range(len(times))], lead, site)})


def _folded(times: list[str], lead: int, site: Site) -> str:
    """The gradient in blocks, a dimension of blocks before each of `x`'s that is repeated, and summed over these."""
    sizes, summed = [], []
    for d, count in enumerate(times):
        if count != "1" and not (d >= lead and site["sizes"][d - len(times)] == 1 and site.literal(count)):
            summed.append(len(sizes))
            sizes.append(count)
        if d >= lead:
            sizes.append(f"x.shape[{d - lead}]")
    if not summed:
        return "dy"
    return f"dy.reshape({', '.join(sizes)}).sum({tuple(summed) if len(summed) > 1 else summed[0]})"


@adjoint("repeat_interleave")
def _repeat_interleave(site: Site) -> Back:
    if getattr(site["repeats"], "shape", ()) != ():
        if site["dim"] is None:
            raise UncoveredError("of `repeat_interleave` by a tensor it is covered along a dimension")
        return Back({"x": Into(call="dx.index_add_(dim, torch.repeat_interleave(repeats), dy)")})
    if site["dim"] is None:
        return Back({"x": "dy.reshape(*x.shape, repeats).sum(-1)"})
    (dim,) = site.dims()
    sizes = [f"x.shape[{d}]" for d in range(site.rank())]
    return Back({"x": f"dy.reshape({', '.join([*sizes[: dim + 1], 'repeats', *sizes[dim + 1 :]])}).sum({dim + 1})"})


@adjoint("flip")
def _flip(_: Site) -> Back:
    return Back({"x": "dy.flip(dims)"})


@adjoint("fliplr", "flipud")
def _fliplr(site: Site) -> Back:
    return Back({"x": f"dy.flip({1 if site.name == 'fliplr' else 0})"})


@adjoint("rot90")
def _rot90(_: Site) -> Back:
    return Back({"x": "torch.rot90(dy, -k, dims)"})


@adjoint("roll")
def _roll(site: Site) -> Back:
    shifts = site["shifts"]
    if isinstance(shifts, int):
        return Back({"x": "dy.roll(-shifts)" if site["dims"] is None else "dy.roll(-shifts, dims)"})
    return Back({"x": f"dy.roll(({', '.join(f'-shifts_{i}' for i in range(len(shifts)))}), dims)"})


@adjoint("tril", "triu")
def _tril(site: Site) -> Back:
    return Back({"x": f"dy.{site.name}()" if site["diagonal"] == 0 else f"dy.{site.name}(diagonal)"})


@adjoint("trace", lazy=True)
def _trace(_: Site) -> Back:
    return Back({"x": Into(call="dx.diagonal().add_(dy)")})


@adjoint("diagonal")
def _diagonal(site: Site) -> Back:
    default = (site["offset"], *site.dims("dim1"), *site.dims("dim2")) == (0, 0, 1)
    return Back({"x": Into(call=f"dx.diagonal({'' if default else 'offset, dim1, dim2'}).add_(dy)")})


@adjoint("diag")
def _diag(site: Site) -> Back:
    offset = "" if site["diagonal"] == 0 else "diagonal"
    if site.rank() == 1:
        return Back({"x": f"dy.diagonal({offset})"})
    return Back({"x": Into(call=f"dx.diagonal({offset}).add_(dy)")})


@adjoint("diag_embed")
def _diag_embed(_: Site) -> Back:
    return Back({"x": "dy.diagonal(offset, dim1, dim2)"})


@adjoint("unfold")
def _unfold(_: Site) -> Back:
    return Back({"x": COUNTED}, {"taken": f"{PLACES}.unfold(dimension, size, step)"})
