"""Lower convolutions and pooling: windows are sums of indices."""

import ast
from collections.abc import Sequence

from handgrad.derive.expr import Delta, Expr, delta, term
from handgrad.derive.indices import Affine, Axis, Gathered, Index, extent, fresh, merge, plain_order, symbol
from handgrad.derive.lower.arithmetic import plus
from handgrad.derive.lower.graph import Indexed, UnsupportedError
from handgrad.derive.lower.lowering import Lowering, lowers, source
from handgrad.derive.lower.reductions import averaged
from handgrad.derive.read.calls import Call


@lowers("conv1d", "conv2d")
def _convolution(low: Lowering, call: Call) -> Indexed:
    rank = int(call.name[4])
    stride, padding, dilation = (_numbers(low, call[word], rank) for word in ("stride", "padding", "dilation"))
    groups = low.integer(call["groups"])
    x, weight = low.flat(low.tensor(call["x"])), low.one(low.flat(low.tensor(call["weight"])))
    if len(x.axes) != rank + 2 or (None in weight.axes[2:] and any(padding)):
        raise UnsupportedError(f"`{call.name}` of this shape has no index notation here")
    if any(padding):
        sides = ", ".join(f"{w}, {w}" for w in reversed(padding))
        x = padded(low, x, [(w, w) for w in padding], f"F.pad({low.said(call['x'])}, ({sides}))")
    x = low.graph.name(x)
    shape = low.value(call.node).shape
    if groups > 1:
        x, weight = _grouped(low, x, weight, groups, call["groups"])
    else:
        back, mapping, _ = low.maps((x.axes[1],), (weight.axes[1],))
        x, weight = x.put(back), weight.put(mapping)
    places: list[Index | None] = []
    windows: dict[Index, Index] = {}
    for d in range(rank):
        place, axis = _window(x.axes[d + 2], weight.axes[d + 2], shape[d + 2], stride[d], dilation[d])
        places.append(place)
        if axis is not None and (whole := x.axes[d + 2]) is not None:
            windows[whole] = axis
    made = x.expr.put(windows) * weight.expr
    over = [a for i in weight.axes[1:] for a in plain_order(i)]
    batch = x.axes[0]
    made = Indexed(made.sum(over), (batch, weight.axes[0], *places))
    if low.value(call["bias"]) is None:
        return made
    bias = low.tensor(call["bias"])
    return plus(low, made, Indexed(bias.expr, (*bias.axes, *[None] * rank)))


def _numbers(low: Lowering, node: ast.expr, rank: int) -> list[int]:
    value = low.value(node)
    if isinstance(value, str):
        raise UnsupportedError(f"a convolution with padding={value!r} has no index notation here")
    return [value] * rank if isinstance(value, int) else [int(v) for v in value]


def _window(
    axis: Index | None, kernel: Index | None, count: int, stride: int, dilation: int
) -> tuple[Axis | None, Index | None]:
    """The index of a result along one axis, and where it looks in what is convolved."""
    if axis is None:
        return None, None
    place = fresh(symbol(count)) if count > 1 else None
    terms = [(step, i) for step, i in ((stride, place), (dilation, kernel)) if i is not None]
    if isinstance(axis, Axis) and place is not None and kernel is None and stride == 1:
        return fresh(axis.size) if count != axis.size.number else axis, None
    return place, Affine(tuple(terms), 0, "" if len(terms) > 1 else "0" if not terms else f"::{stride}")


def _grouped(low: Lowering, x: Indexed, weight: Indexed, groups: int, node: ast.expr) -> tuple[Indexed, Indexed]:
    """Channels as groups of channels; the weight's first axis has the groups too."""
    channels, out = x.axes[1], weight.axes[0]
    group = low.axis(groups, node)
    inner = weight.axes[1]
    if not isinstance(channels, Axis) or not isinstance(out, Axis):
        raise UnsupportedError("a grouped convolution of one channel has no index notation here")
    parts = (group,) if inner is None else (group, *plain_order(inner))
    each = out.size.number // groups
    outs = (group,) if each == 1 else (group, fresh(low.rest(out, group, each)))
    x = x.put({channels: group if len(parts) == 1 else merge(parts)})
    return x, weight.put({out: group if len(outs) == 1 else merge(outs)})


def padded(low: Lowering, made: Indexed, padding: Sequence[tuple[int, int]], text: str) -> Indexed:
    """A value with zeros before and after its last axes, as many as are said for each."""
    axes = list(made.axes)
    total = low.one(made)
    for d, (before, after) in enumerate(padding, len(axes) - len(padding)):
        axis = axes[d]
        if (before or after) and isinstance(axis, Axis):
            wide = fresh(symbol(axis.size.number + before + after))
            inside = f"{before or ''}:{-after or ''}"
            here = Expr([term((), [(Delta(wide, Affine(((1, axis),), before, inside)), 1)])])
            total = Indexed((total.expr * here).sum([axis]), ())
            axes[d] = wide
        elif before or after:
            raise UnsupportedError("padding an axis of length one has no index notation here")
    return low.graph.name(Indexed(total.expr, tuple(axes)), text=text)


@lowers("pad")
def _pad(low: Lowering, call: Call) -> Indexed:
    widths = list(low.value(call["pad"]))
    if low.value(call["mode"]) != "constant" or low.value(call["value"]) or min(widths) < 0:
        raise UnsupportedError("`pad` with anything but zeros has no index notation here")
    sides = [(widths[k], widths[k + 1]) for k in range(0, len(widths), 2)]
    return padded(low, low.flat(low.tensor(call["x"])), sides[::-1], source(call.node))


@lowers("avg_pool1d", "avg_pool2d", "adaptive_avg_pool2d")
def _average(low: Lowering, call: Call) -> Indexed:
    made = low.flat(low.tensor(call["x"]))
    rank = 1 if "1d" in call.name else 2
    if call.name.startswith("adaptive"):
        if low.value(call["output_size"]) not in (1, (1, 1)):
            raise UnsupportedError("adaptive pooling to more than one place has no index notation here")
        dims = list(range(len(made.axes) - rank, len(made.axes)))
        return averaged(low, made, dims, True)
    made = _tiles(low, made, call, rank)
    dims = list(range(len(made.axes) - rank, len(made.axes)))
    return averaged(low, made, dims, False)


def _tiles(low: Lowering, made: Indexed, call: Call, rank: int) -> Indexed:
    """A value with each of its last axes taken apart into tiles, whose own places are axes at the end."""
    kernel = _numbers(low, call["kernel_size"], rank)
    step = low.value(call["stride"])
    strides = kernel if step is None else _numbers(low, call["stride"], rank)
    if strides != kernel or any(_numbers(low, call["padding"], rank)):
        raise UnsupportedError(f"`{call.name}` with windows that overlap, or padding, has no index notation here")
    outer: list[Index | None] = []
    inner: list[Index | None] = []
    mapping: dict[Index, Index] = {}
    for d, width in enumerate(kernel, len(made.axes) - rank):
        axis = made.axes[d]
        if not isinstance(axis, Axis) or width == 1 or extent(axis) < 2 * width:
            raise UnsupportedError(f"`{call.name}` over less than two windows has no index notation here")
        node = call["kernel_size"]
        window = low.axis(width, node.elts[len(outer)] if isinstance(node, ast.Tuple) else node)
        place = fresh(symbol(extent(axis) // width))
        factor = low.graph.sizes.factor
        low.graph.sizes.say(place.size, f"{factor(axis.size).name} // {factor(window.size).name}")
        used = f":{factor(window.size).name} * {factor(place.size).name}"
        mapping[axis] = Affine(((1, merge((place, window))),), 0, used)
        outer.append(place)
        inner.append(window)
    made = low.graph.name(made)
    return Indexed(made.expr.put(mapping), (*made.axes[: len(made.axes) - rank], *outer, *inner))


@lowers("max_pool1d", "max_pool2d")
def _largest(low: Lowering, call: Call) -> Indexed:
    made = low.flat(low.tensor(call["x"]))
    rank = 1 if "1d" in call.name else 2
    made = _tiles(low, made, call, rank)
    windows = [a for a in made.axes[-rank:] if isinstance(a, Axis)]
    kernel = _numbers(low, call["kernel_size"], rank)
    first = len(made.axes) - 2 * rank
    text = low.said(call["x"]) + "".join(f".unfold({first + k}, {w}, {w})" for k, w in enumerate(kernel))
    text += f".flatten({first + rank})" if rank > 1 else ""
    values = low.value(ast.parse(text, mode="eval").body).argmax(-1)
    table = low.graph.table(f"{text}.argmax({first + rank})", values)
    index = Gathered(table, tuple(a for a in made.axes[:-rank] if a is not None))
    picked = delta(merge(windows) if rank > 1 else windows[0], index)
    return Indexed((made.expr * picked).sum(windows), made.axes[:-rank])
