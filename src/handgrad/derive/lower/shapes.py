"""Lower what gives a tensor other axes: views, transposes, what repeats and what joins."""

import ast
import itertools

import torch

from handgrad.derive.expr import ONE, Delta, Expr, term
from handgrad.derive.indices import (
    Affine,
    Axis,
    Form,
    Gathered,
    Index,
    Merged,
    extent,
    fresh,
    merge,
    plain_order,
    symbol,
)
from handgrad.derive.lower.graph import Indexed, UnsupportedError
from handgrad.derive.lower.lowering import Lowering, lowers
from handgrad.derive.read.calls import Call


@lowers("t", "t_last")
def _turn(low: Lowering, call: Call) -> Indexed:
    made = low.tensor(call["x"])
    axes = made.axes
    return Indexed(made.expr, axes[::-1] if call.name == "t" else (*axes[:-2], axes[-1], axes[-2]))


@lowers("transpose")
def _transpose(low: Lowering, call: Call) -> Indexed:
    made = low.tensor(call["x"])
    axes = list(made.axes)
    i, j = low.integer(call["dim0"]), low.integer(call["dim1"])
    axes[i], axes[j] = axes[j], axes[i]
    return Indexed(made.expr, tuple(axes))


@lowers("permute")
def _permute(low: Lowering, call: Call) -> Indexed:
    made = low.tensor(call["x"])
    dims = low.value(call["dims"])
    return Indexed(made.expr, tuple(made.axes[d] for d in dims) if dims else made.axes[::-1])


@lowers("movedim")
def _movedim(low: Lowering, call: Call) -> Indexed:
    made = low.tensor(call["x"])
    numbered = torch.empty(tuple(range(2, 2 + len(made.axes))))
    moved = numbered.movedim(low.value(call["source"]), low.value(call["destination"]))
    return Indexed(made.expr, tuple(made.axes[n - 2] for n in moved.shape))


@lowers("unsqueeze")
def _unsqueeze(low: Lowering, call: Call) -> Indexed:
    made = low.tensor(call["x"])
    axes = list(made.axes)
    axes.insert(low.integer(call["dim"]) % (len(axes) + 1), None)
    return Indexed(made.expr, tuple(axes))


@lowers("squeeze")
def _squeeze(low: Lowering, call: Call) -> Indexed:
    made = low.tensor(call["x"])
    dims = low.dims(call["dim"], len(made.axes))
    return Indexed(made.expr, tuple(a for d, a in enumerate(made.axes) if a is not None or d not in dims))


@lowers("view", "reshape", "flatten", "ravel", "unflatten", "view_as")
def _view(low: Lowering, call: Call) -> Indexed:
    made = low.tensor(call["x"])
    shape = call.arguments.get("shape")
    said: list[ast.expr | None] = []
    if isinstance(shape, ast.Tuple):
        said = [None if isinstance(low.value(n), int) and low.value(n) < 0 else n for n in shape.elts]
    return viewed(low, made, list(low.value(call.node).shape), said)


def viewed(low: Lowering, made: Indexed, shape: list[int], said: list[ast.expr | None]) -> Indexed:
    """The same elements over axes of other lengths; `said` is what the program calls the lengths."""
    mapping: dict[Axis, tuple[Axis, Axis]] = {}
    left = [axis for index in made.axes for axis in plain_order(index)]
    axes: list[Index | None] = []
    for count, node in zip(shape, itertools.chain(said, itertools.repeat(None)), strict=False):
        parts: list[Axis] = []
        missing = count
        while missing > 1:
            axis = left.pop(0)
            have = axis.size.number
            if missing % have == 0:
                parts.append(axis)
                missing //= have
            elif have % missing == 0:
                first = low.axis(missing, None if parts else node)
                second = fresh(low.rest(axis, first, have // missing))
                mapping[axis] = first, second
                parts.append(first)
                left.insert(0, second)
                missing = 1
            else:
                raise UnsupportedError("this view splits and merges axes at once")
        if len(parts) == 1 and node is not None and not isinstance(node, ast.Constant):
            low.graph.sizes.unify(parts[0].size, low.size_said(node, count))
        axes.append(None if not parts else parts[0] if len(parts) == 1 else merge(parts))
    return _resolved(Indexed(made.expr, tuple(axes)), mapping)


def _resolved(made: Indexed, mapping: dict[Axis, tuple[Axis, Axis]]) -> Indexed:
    """Put splits in, and splits of splits; merged indices in merged ones are one list."""
    flat: dict[Index, Index] = {axis: merge(_leaves(axis, mapping)) for axis in mapping}
    return Indexed(made.expr.put(flat), made.axes)


def _leaves(axis: Axis, mapping: dict[Axis, tuple[Axis, Axis]]) -> list[Axis]:
    return [leaf for part in mapping[axis] for leaf in _leaves(part, mapping)] if axis in mapping else [axis]


@lowers("expand", "expand_as", "broadcast_to")
def _expand(low: Lowering, call: Call) -> Indexed:
    made = low.tensor(call["x"])
    shape = low.value(call.node).shape
    axes = [None] * (len(shape) - len(made.axes)) + list(made.axes)
    for d, number in enumerate(shape):
        if axes[d] is None and number > 1:
            sizes = call.arguments.get("sizes", call.arguments.get("size"))
            written = sizes.elts if isinstance(sizes, ast.Tuple) else []
            axes[d] = low.axis(number, written[d] if len(written) == len(shape) else None)
            other = low.tensor(call["other"]).axes[d] if "other" in call.arguments else None
            axes[d] = fresh(other.size) if isinstance(other, Axis) else axes[d]
    return Indexed(made.expr, tuple(axes))


@lowers("zeros_like", "ones_like", "full_like")
def _like(low: Lowering, call: Call) -> Indexed:
    axes = low.tensor(call["x"]).axes
    if call.name == "full_like":
        return Indexed(low.tensor(call["value" if "value" in call.arguments else "fill_value"]).expr, axes)
    return Indexed(ONE if call.name == "ones_like" else Expr(), axes)


@lowers("repeat", "tile")
def _repeat(low: Lowering, call: Call) -> Indexed:
    made = low.tensor(call["x"])
    sizes = call["sizes"]
    assert isinstance(sizes, ast.Tuple)
    counts = [low.integer(n) for n in sizes.elts]
    axes: list[Index | None] = [None] * (len(counts) - len(made.axes)) + list(made.axes)
    for d, count in enumerate([1] * (len(axes) - len(counts)) + counts):
        if count > 1:
            outer = low.axis(count, sizes.elts[d - len(axes) + len(counts)])
            axes[d] = outer if axes[d] is None else merge((outer, *plain_order(axes[d])))
    return Indexed(made.expr, tuple(axes))


@lowers("repeat_interleave")
def _repeat_interleave(low: Lowering, call: Call) -> Indexed:
    made = low.tensor(call["x"])
    dim, count = low.value(call["dim"]), low.value(call["repeats"])
    if not isinstance(dim, int) or not isinstance(count, int):
        raise UnsupportedError("repeat_interleave by a tensor, or without dim, has no index notation here")
    inner = low.axis(count, call["repeats"])
    axes = list(made.axes)
    axes[dim] = inner if axes[dim] is None else merge((*plain_order(axes[dim]), inner))
    return Indexed(made.expr, tuple(axes))


@lowers("roll", "flip")
def _roll(low: Lowering, call: Call) -> Indexed:
    made = low.flat(low.tensor(call["x"]))
    rank = len(made.axes)
    dims = low.dims(call["dims"], rank)
    if call.name == "roll" and low.value(call["dims"]) is None and rank > 1:
        raise UnsupportedError("roll without dims has no index notation here")
    shifts = low.value(call["shifts"]) if call.name == "roll" else 0
    shifts = [shifts] * len(dims) if isinstance(shifts, int) else list(shifts)
    mapping: dict[Index, Index] = {}
    for d, shift in zip(dims, shifts, strict=True):
        axis = made.axes[d]
        if axis is None:
            continue
        assert isinstance(axis, Axis)
        places = torch.arange(axis.size.number)
        if call.name == "flip":
            method = inverse = f"flip({{dim}})@{axis.size.number}"
            low.graph.table("", places.flip(0), method, inverse)
        else:
            said = ast.unparse(call["shifts"]) if len(dims) == 1 else str(shift)
            undone = (
                said[1:] if (said.startswith("-") and said[1:].isidentifier()) or said[1:].isdigit() else f"-{said}"
            )
            method, inverse = (f"roll({s}, {{dim}})@{axis.size.number}" for s in (said, undone))
            low.graph.table("", places.roll(shift), method, inverse)
            low.graph.table("", places.roll(-shift), inverse, method)
        mapping[axis] = Gathered(method, (axis,))
    made = low.graph.name(made)
    return Indexed(made.expr.put(mapping), made.axes)


@lowers("cat", "stack", "hstack", "vstack")
def _cat(low: Lowering, call: Call) -> Indexed:
    nodes = call["tensors"]
    if not isinstance(nodes, ast.Tuple | ast.List):
        raise UnsupportedError("a list that the line does not write out has no index notation here")
    parts = [low.tensor(node) for node in nodes.elts]
    if call.name == "stack":
        rank = len(parts[0].axes) + 1
        d = low.integer(call["dim"]) % rank
        parts = [Indexed(p.expr, (*p.axes[:d], None, *p.axes[d:])) for p in parts]
    elif call.name == "cat":
        d = low.integer(call["dim"]) % len(parts[0].axes)
    else:
        d = 0 if call.name == "vstack" or len(parts[0].axes) == 1 else 1
        if len(parts[0].axes) < 2 and call.name == "vstack":
            parts = [Indexed(p.expr, (None, *p.axes)) for p in parts]
    return joined(low, parts, d)


def joined(low: Lowering, parts: list[Indexed], d: int) -> Indexed:
    """Tensors one after the other along an axis."""
    parts = [low.one(low.flat(part) if isinstance(part.axes[d], Merged) else part) for part in parts]
    whole = fresh(symbol(sum(extent(p.axes[d]) for p in parts)))
    stripped, axes = low.together([Indexed(p.expr, (*p.axes[:d], None, *p.axes[d + 1 :])) for p in parts])
    lengths = [p.axes[d] for p in parts]
    said = [low.graph.sizes.said(index) for index in lengths]
    low.graph.sizes.say(whole.size, joined_size(low, lengths))
    total, at = Expr(), 0
    before: list[str] = []
    for k, (part, had) in enumerate(zip(stripped, lengths, strict=True)):
        start = " + ".join(before)
        before.append(said[k])
        stop = "" if k == len(parts) - 1 else " + ".join(before)
        place = Affine(
            ((1, had),) if had is not None else (),
            at,
            f"{start}:{stop}" if had is not None else str(k) if set(before) <= {"1"} else start,
            True,
        )
        here = Expr([term((), [(Delta(whole, place), 1)])])
        total = total + (part.expr * here).sum(plain_order(had))
        at += extent(had)
    return Indexed(total, _at(axes, d, whole))


def joined_size(low: Lowering, lengths: list[Index | None]) -> str:
    """How long tensors are one after the other, as source."""
    if all(index is None for index in lengths):
        return str(len(lengths))
    return " + ".join(map(low.graph.sizes.said, lengths))


def _at(axes: Form, d: int, index: Index) -> Form:
    return (*axes[:d], index, *axes[d + 1 :])
