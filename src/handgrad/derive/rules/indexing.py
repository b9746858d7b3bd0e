"""Functions that pick elements or write some: what comes back is added to the elements that were picked."""

import ast
from typing import Any

from handgrad.derive.rules.adjoint import Back, Into, Site, UncoveredError, adjoint, summed_to
from handgrad.derive.rules.joining import COUNTED, PLACES, along


def picks_each_once(site: Site) -> bool:
    """Whether an index picks no element twice, by what is written there; one that only adds dimensions is none."""
    index = _parts(site)
    tensors = [i for i, part in enumerate(index) if _is_tensor(part)]
    if not tensors:
        return not _keeps_all(index)
    if all(_is_mask(index[i]) for i in tensors):
        return len(tensors) == 1
    if any(_is_mask(index[i]) for i in tensors):
        return False
    shapes = [_shape(index[i]) for i in tensors]
    rank = max(map(len, shapes))
    told_apart = set()
    for i, shape in zip(tensors, shapes, strict=True):
        long = [d + rank - len(shape) for d, size in enumerate(shape) if size > 1]
        if len(long) == 1 and _counts(site, site.parts[_name(site, i)]):
            told_apart.add(long[0])
    return all(d in told_apart for d in range(rank) if any(d >= rank - len(s) and s[d - rank] > 1 for s in shapes))


@adjoint("getitem", lazy=picks_each_once)
def _getitem(site: Site) -> Back:
    if site["index"] is None and not _is_none(site.parts["index"]):
        raise UncoveredError("what the index picks is not known")
    if picks_each_once(site):
        return Back({"x": Into("dx[index]", "dy")})
    index = _parts(site)
    if _keeps_all(index):
        added = _added(site, index)
        return Back({"x": f"dy.squeeze({added if len(added) > 1 else added[0]})" if added else "dy"})
    tensors = [i for i, part in enumerate(index) if _is_tensor(part) and not _is_mask(part)]
    rest = [part for i, part in enumerate(index) if i not in tensors]
    if len(tensors) == 1 and all(part == slice(None) for part in rest):
        (dim,) = tensors
        return Back({"x": Into(call=f"dx.index_add_({dim}, {_flat(site, dim)})")})
    if not rest:
        places = ", ".join(_tensor(site, i) for i in tensors)
        return Back({"x": Into(call=f"dx.index_put_(({places}), dy, accumulate=True)")})
    return Back({"x": COUNTED}, {"taken": f"{PLACES}[index]"})


def _flat(site: Site, dim: int) -> str:
    """A tensor of indices along a dimension and what comes back there, both flat."""
    rank = len(_shape(_parts(site)[dim]))
    index = _tensor(site, dim)
    return f"{index}, dy" if rank == 1 else f"{index}.flatten(), dy.flatten({dim}, {dim + rank - 1})"


def _parts(site: Site) -> tuple[Any, ...]:
    return site["index"] if isinstance(site["index"], tuple) else (site["index"],)


def _name(site: Site, i: int) -> str:
    return f"index_{i}" if f"index_{i}" in site.parts and isinstance(site["index"], tuple) else "index"


def _tensor(site: Site, i: int) -> str:
    """A part of an index as a tensor."""
    return _name(site, i) if hasattr(_parts(site)[i], "shape") else f"torch.tensor({_name(site, i)})"


def _is_tensor(part: Any) -> bool:
    """Whether a part of an index is more than a number or a slice."""
    return isinstance(part, list | range | tuple) or (hasattr(part, "shape") and (_shape(part) != () or _is_mask(part)))


def _is_mask(part: Any) -> bool:
    truths = isinstance(part, list) and bool(part) and isinstance(part[0], bool)
    return truths or str(getattr(part, "dtype", "")).endswith("bool")


def _shape(part: Any) -> tuple[int, ...]:
    return tuple(part.shape) if hasattr(part, "shape") else (len(part),)


def _keeps_all(index: tuple[Any, ...]) -> bool:
    """Whether all that an index may do is to add dimensions."""
    return all(part is None or part is ... or (isinstance(part, slice) and part == slice(None)) for part in index)


def _added(site: Site, index: tuple[Any, ...]) -> tuple[int, ...]:
    """The dimensions of the result that an index adds."""
    after = index[::-1].index(...) if ... in index else 0
    places = [d if d < len(index) - after else d - len(index) + site.result.ndim for d in range(len(index))]
    return tuple(d for d, part in zip(places, index, strict=True) if part is None)


def _is_none(source: ast.expr) -> bool:
    return isinstance(source, ast.Constant) and source.value is None


def _counts(site: Site, source: ast.expr) -> bool:
    """Whether no number is twice in an index, by how it is written: as a range, or as different numbers."""
    match site.made(source):
        case ast.Call(ast.Name("range")) | ast.Call(ast.Attribute(_, "arange")):
            return True
        case ast.Call(ast.Attribute(inner, "unsqueeze" | "view" | "reshape" | "to" | "long" | "flip")):
            return _counts(site, inner)
        case ast.Subscript(inner, ast.Tuple(parts)):
            return _counts(site, inner) and all(isinstance(part, ast.Slice) or _is_none(part) for part in parts)
        case ast.List(parts) | ast.Tuple(parts):
            numbers = [part.value for part in parts if isinstance(part, ast.Constant)]
            return len(numbers) == len(parts) == len(set(numbers))
    return False


@adjoint("gather")
def _gather(_: Site) -> Back:
    return Back({"x": Into(call="dx.scatter_add_(dim, index, dy)")})


@adjoint("take_along_dim")
def _take_along_dim(site: Site) -> Back:
    if site["dim"] is None:
        return Back({"x": COUNTED.replace("taken", "index")})
    (dim,) = site.dims()
    wide = [(d, size) for d, size in enumerate(site.shape()) if d != dim]
    if any(site.result.shape[d] != size for d, size in wide):
        raise UncoveredError("`take_along_dim` is covered where `x` is not broadcast")
    index = "index" if site.shape("index") == tuple(site.result.shape) else "index.expand_as(dy)"
    return Back({"x": Into(call=f"dx.scatter_add_(dim, {index}, dy)")})


@adjoint("index_select")
def _index_select(_: Site) -> Back:
    return Back({"x": Into(call="dx.index_add_(dim, index, dy)")})


@adjoint("take")
def _take(_: Site) -> Back:
    return Back({"x": COUNTED.replace("taken", "index")})


@adjoint("select_along")
def _select_along(site: Site) -> Back:
    """NumPy's `take`."""
    if site["dim"] is None:
        return _take(site)
    (dim,) = site.dims()
    if not hasattr(site["index"], "shape") or not site.rank("index"):
        return Back({"x": Into(f"dx[{along(dim, site.rank(), 'index')}]", "dy")})
    last = dim + site.rank("index") - 1
    return Back({"x": Into(call=f"dx.index_add_({dim}, index.flatten(), dy.flatten({dim}, {last}))")})


@adjoint("embedding")
def _embedding(site: Site) -> Back:
    rank = site.rank("index")
    rows, back = ("index", "dy") if rank == 1 else ("index.flatten()", f"dy.flatten(0, {rank - 1})")
    if site["padding_idx"] is None:
        return Back({"weight": Into(call=f"dweight.index_add_(0, {rows}, {back})")})
    seen = {"seen": "(index != padding_idx)[..., None] * dy"}
    return Back({"weight": Into(call=f"dweight.index_add_(0, {rows}, {back.replace('dy', 'seen')})")}, seen)


@adjoint("masked_select", lazy=True)
def _masked_select(site: Site) -> Back:
    if site.shape() != site.shape("mask"):
        raise UncoveredError("`masked_select` is covered where the mask has the shape of what it picks from")
    return Back({"x": Into("dx[mask]", "dy")})


@adjoint("masked_fill")
def _masked_fill(_: Site) -> Back:
    return Back({"x": "dy.masked_fill(mask, 0)", "value": "torch.where(mask, dy, 0).sum()"})


@adjoint("masked_scatter")
def _masked_scatter(site: Site) -> Back:
    if site.shape() != site.shape("mask"):
        raise UncoveredError("`masked_scatter` is covered where the mask has the shape of what it writes to")
    into = Into("dsource.view(-1)[:mask.sum()]", "dy[mask]")
    return Back({"x": "dy.masked_fill(mask, 0)", "source": into})


@adjoint("scatter")
def _scatter(site: Site) -> Back:
    if site.rank("src") and site.shape("src") != site.shape("index"):
        raise UncoveredError("`scatter` is covered where the source has the shape of the index")
    return Back({"x": "dy.scatter(dim, index, 0)", "src": "dy.gather(dim, index)"})


@adjoint("scatter_add")
def _scatter_add(site: Site) -> Back:
    if site.shape("src") != site.shape("index"):
        raise UncoveredError("`scatter_add` is covered where the source has the shape of the index")
    return Back({"x": "dy", "src": "dy.gather(dim, index)"})


@adjoint("index_add")
def _index_add(_: Site) -> Back:
    return Back({"x": "dy", "source": "alpha * dy.index_select(dim, index)"})


@adjoint("index_copy")
def _index_copy(_: Site) -> Back:
    return Back({"x": "dy.index_fill(dim, index, 0)", "source": "dy.index_select(dim, index)"})


@adjoint("index_fill")
def _index_fill(_: Site) -> Back:
    return Back({"x": "dy.index_fill(dim, index, 0)", "value": "dy.index_select(dim, index).sum()"})


@adjoint("index_put")
def _index_put(site: Site) -> Back:
    kept = "dy" if site["accumulate"] else "dy.index_put(indices, torch.zeros_like(values))"
    picked = site.result[site["indices"]]
    if tuple(picked.shape) != site.shape("values"):
        raise UncoveredError("`index_put` is covered where the values have the shape of what they are put to")
    return Back({"x": kept, "values": "dy[indices]"})


@adjoint("setitem")
def _setitem(site: Site) -> Back:
    """`x` with other values at an index: nothing comes back to what is no longer there."""
    return Back({"x": Into("dx[index]", "0", start="dy.clone()"), "values": _written(site)})


@adjoint("additem")
def _additem(site: Site) -> Back:
    """`x` with values added at an index."""
    return Back({"x": "dy", "values": _written(site)})


def _written(site: Site) -> str:
    """What comes back to values that are written at an index, to which they may be broadcast."""
    return summed_to("dy[index]", site.shape("values"), tuple(site.result[site["index"]].shape))
