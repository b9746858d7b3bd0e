"""Lower subscripts, slices and lookups."""

import ast
from dataclasses import dataclass, field

import torch

from handgrad.derive.expr import Delta, Expr, Factor, term
from handgrad.derive.indices import Affine, Axis, Form, Gathered, Index, Merged, Size, extent, fresh
from handgrad.derive.lower.graph import Indexed, UnsupportedError
from handgrad.derive.lower.lowering import Lowering, lowers
from handgrad.derive.read.calls import Call, evaluated, is_array


@dataclass
class _Subscript:
    """What a subscript makes of the axes of a tensor: the new ones, and where each old one looks."""

    axes: list[Index | None] = field(default_factory=list)
    mapping: dict[Index, Index] = field(default_factory=dict)
    tensors: list[tuple[Index | None, Gathered, Form]] = field(default_factory=list)
    ranges: list[tuple[Index | None, Size]] = field(default_factory=list)
    at: int | None = None


@lowers("getitem")
def _getitem(low: Lowering, call: Call) -> Indexed | list[Indexed]:
    if isinstance(low.value(call["x"]), tuple) or not is_array(evaluated(call["x"], low.values)):
        parts = low.several(call["x"])
        k = low.integer(call["index"])
        return parts[k] if isinstance(parts, list) else parts
    return subscripted(low, low.tensor(call["x"]), call["index"])


def subscripted(low: Lowering, made: Indexed, index: ast.expr) -> Indexed:
    """What a subscript picks from a value."""
    parts = list(index.elts) if isinstance(index, ast.Tuple) else [index]
    if any(_is(p, ...) for p in parts):
        k = next(k for k, p in enumerate(parts) if _is(p, ...))
        real = sum(not _is(p, None) for p in parts) - 1
        parts[k : k + 1] = [ast.Slice()] * (len(made.axes) - real)
    out, d = _Subscript(), 0
    for part in parts:
        if _is(part, None):
            out.axes.append(None)
            continue
        if isinstance(made.axes[d], Merged) and not (isinstance(part, ast.Slice) and part.lower is part.upper is None):
            made = low.flat(made)
        axis = made.axes[d]
        d += 1
        if isinstance(part, ast.Slice):
            _slice(low, out, axis, part)
        else:
            _pick(low, out, axis, part)
    _gather(low, out)
    made = Indexed(made.expr, made.axes) if not out.mapping else low.graph.name(made)
    return Indexed(made.expr.put(out.mapping), (*out.axes, *made.axes[d:]))


def _is(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _slice(low: Lowering, out: _Subscript, axis: Index | None, part: ast.Slice) -> None:
    bounds = [None if node is None else low.value(node) for node in (part.lower, part.upper, part.step)]
    start, stop, step = slice(*bounds).indices(extent(axis))
    count = len(range(start, stop, step))
    if count == extent(axis):
        out.axes.append(axis)
        return
    assert axis is not None
    text = ast.unparse(ast.Subscript(ast.Name("x"), part))[2:-1]
    if count == 1:
        first = "0" if part.lower is None else ast.unparse(part.lower)
        out.mapping[axis] = Affine((), start, first if step > 0 else str(start))
        out.axes.append(None)
        return
    first = part.lower is None and step == 1 and bounds[1] is not None and bounds[1] > 0
    new = low.axis(count, part.upper if first else None)
    out.mapping[axis] = Affine(((step, new),), start, text)
    out.axes.append(new)


def _pick(low: Lowering, out: _Subscript, axis: Index | None, part: ast.expr) -> None:
    """One place of an axis, or those that a range or a tensor of integers names."""
    if out.at is None:
        out.at = len(out.axes)
    if isinstance(part, ast.Call) and ast.unparse(part.func) in ("range", "torch.arange", "np.arange", "arange"):
        if len(part.args) != 1:
            raise UnsupportedError(f"`{ast.unparse(part)}` as a subscript has no index notation here")
        out.ranges.append((axis, low.size_said(part.args[0], low.integer(part.args[0]))))
        return
    value = low.value(part)
    if isinstance(value, int | torch.Tensor) and not isinstance(value, bool) and torch.as_tensor(value).dim() == 0:
        if axis is not None:
            out.mapping[axis] = Affine((), int(value) % extent(axis), ast.unparse(part))
        return
    tensor = torch.as_tensor(value)
    if tensor.dtype in (torch.bool, torch.uint8) or tensor.is_floating_point():
        raise UnsupportedError("picking by a mask has no index notation here")
    out.tensors.append((axis, *low.index(part)))


def _gather(low: Lowering, out: _Subscript) -> None:
    """Broadcast the tensors and ranges of a subscript together, and put their axes where they belong."""
    if out.at is None:
        return
    together, axes = low.together(
        [Indexed(Expr([term((), [(Factor("?", index.indices), 1)])]), form) for _, index, form in out.tensors]
    )
    for (axis, index, _), part in zip(out.tensors, together, strict=True):
        single = part.expr.single()
        if axis is not None and single is not None:
            out.mapping[axis] = Gathered(index.table, tuple(i for i in single.indices if i is not None))
    for axis, size in out.ranges:
        axes = axes or (fresh(size),)
        (index,) = axes if len(axes) == 1 else (None,)
        if not isinstance(axis, Axis) or not isinstance(index, Axis):
            raise UnsupportedError("this range as a subscript has no index notation here")
        low.graph.sizes.unify(size, index.size)
        if extent(axis) == size.number:
            low.graph.sizes.unify(axis.size, size)
            out.mapping[axis] = index
        else:
            out.mapping[axis] = Affine(((1, index),), 0, f":{low.graph.sizes.factor(size).name}")
    out.axes[out.at : out.at] = list(axes)


@lowers("embedding")
def _embedding(low: Lowering, call: Call) -> Indexed:
    return subscripted(low, low.tensor(call["weight"]), call["index"])


@lowers("index_select")
def _index_select(low: Lowering, call: Call) -> Indexed:
    made = low.flat(low.tensor(call["x"]))
    d = low.integer(call["dim"]) % len(made.axes)
    out = _Subscript(list(made.axes[:d]))
    _pick(low, out, made.axes[d], call["index"])
    _gather(low, out)
    return Indexed(made.expr.put(out.mapping), (*out.axes, *made.axes[d + 1 :]))


@lowers("gather", "take_along_dim")
def _gather_along(low: Lowering, call: Call) -> Indexed:
    made = low.flat(low.tensor(call["x"]))
    d = low.integer(call["dim"]) % len(made.axes)
    index, axes = low.index(call["index"])
    mapping: dict[Index, Index] = {}
    for k, (old, new) in enumerate(zip(made.axes, axes, strict=True)):
        if k == d or old == new:
            continue
        if not (isinstance(old, Axis) and isinstance(new, Axis) and extent(old) == extent(new)):
            raise UnsupportedError("gathering from a part of a tensor has no index notation here")
        low.graph.sizes.unify(old.size, new.size)
        mapping[old] = new
    if isinstance(axis := made.axes[d], Axis):
        mapping[axis] = index
    return Indexed(low.graph.name(made).expr.put(mapping), axes)


@lowers("select", "narrow")
def _select(low: Lowering, call: Call) -> Indexed:
    made = low.tensor(call["x"])
    d = low.integer(call["dim"]) % len(made.axes)
    if call.name == "select":
        part: ast.expr = call["index"]
    else:
        start = call["start"]
        part = ast.Slice(start, ast.BinOp(start, ast.Add(), call["length"]))
    index = ast.Tuple([*[ast.Slice()] * d, part], ast.Load())
    return subscripted(low, made, index)


@lowers("chunk", "split", "unbind")
def _chunk(low: Lowering, call: Call) -> list[Indexed]:
    """Parts along an axis, each after those before it."""
    made = low.graph.name(low.flat(low.tensor(call["x"])))
    d = low.integer(call["dim"]) % len(made.axes)
    axis = made.axes[d]
    if not isinstance(axis, Axis):
        raise UnsupportedError(f"{call.name} along this axis has no index notation here")
    lengths = [part.shape[d] for part in low.value(call.node)] if call.name != "unbind" else []
    if call.name == "unbind":
        places = [Affine((), k, str(k), True) for k in range(axis.size.number)]
        return [Indexed(made.expr.put({axis: p}), (*made.axes[:d], *made.axes[d + 1 :])) for p in places]
    said = call.arguments.get("split_size")
    out, at, before = [], 0, []
    for k, length in enumerate(lengths):
        node = said.elts[k] if isinstance(said, ast.List | ast.Tuple) else said
        part = low.axis(length, node if node is not None and low.value(node) == length else None)
        start = " + ".join(before)
        before.append(low.graph.sizes.factor(part.size).name)
        stop = "" if k == len(lengths) - 1 else " + ".join(before)
        place = Affine(((1, part),), at, f"{start}:{stop}", True)
        out.append(low.refreshed(Indexed(made.expr.put({axis: place}), (*made.axes[:d], part, *made.axes[d + 1 :]))))
        at += length
    return out


@lowers("one_hot")
def _one_hot(low: Lowering, call: Call) -> Indexed:
    index, axes = low.index(call["index"])
    count = low.value(call.node).shape[-1]
    classes = call["num_classes"]
    last = low.axis(count, None if low.integer(classes) < 0 else classes)
    return Indexed(Expr([term((), [(Delta(last, index), 1)])]), (*axes, last))
