"""Lower sums, means, maxima, norms and cumulative sums, and softmax, which is made of one."""

import ast
from fractions import Fraction

import torch

from handgrad.derive.expr import Delta, Expr, element, term
from handgrad.derive.indices import Axis, Form, Gathered, Index, Merged, fresh, merge, plain_order, symbol
from handgrad.derive.lower.arithmetic import mean_of, plus, power
from handgrad.derive.lower.graph import Definition, Indexed, UnsupportedError
from handgrad.derive.lower.lowering import Lowering, lowers, source
from handgrad.derive.lower.masks import larger
from handgrad.derive.read.calls import Call, is_array


def kept(axes: Form, dims: list[int], keep: bool) -> Form:
    """The axes of a reduction over some of them."""
    return tuple(None if d in dims else a for d, a in enumerate(axes) if keep or d not in dims)


def reduced(made: Indexed, dims: list[int], keep: bool) -> Indexed:
    """The sum over some axes."""
    over = [axis for d in dims for axis in plain_order(made.axes[d])]
    return Indexed(made.expr.sum(over), kept(made.axes, dims, keep))


def averaged(low: Lowering, made: Indexed, dims: list[int], keep: bool, less: Expr | None = None) -> Indexed:
    """The mean over some axes; `less` is what the count is reduced by."""
    count = low.graph.sizes.product(axis for d in dims for axis in plain_order(made.axes[d]))
    return mean_of(low, reduced(made, dims, keep), count if less is None else count - less)


def _read(low: Lowering, call: Call) -> tuple[Indexed, list[int], bool]:
    made = low.tensor(call["x"])
    return made, low.dims(call["dim"], len(made.axes)), bool(low.value(call["keepdim"]))


@lowers("sum")
def _sum(low: Lowering, call: Call) -> Indexed:
    return reduced(*_read(low, call))


@lowers("mean")
def _mean(low: Lowering, call: Call) -> Indexed:
    made, dims, keep = _read(low, call)
    mean = averaged(low, made, dims, keep)
    return low.graph.name(mean, text=source(call.node)) if keep else mean


@lowers("var", "std")
def _var(low: Lowering, call: Call) -> Indexed:
    made, dims, keep = _read(low, call)
    mean = averaged(low, made, dims, True)
    where = _dims_text(dims, len(made.axes), call["dim"])
    mean = low.graph.name(mean, text=f"{low.said(call['x'])}.mean({where}keepdim=True)")
    squares = power(low, plus(low, low.refreshed(made), mean, -1), 2)
    less = low.value(call["correction"])
    correction = low.tensor(call["correction"]).expr if not isinstance(less, bool) else Expr()
    if less is True:
        correction = low.tensor(ast.Constant(1)).expr
    made = averaged(low, squares, dims, keep, correction)
    made = made if call.name == "var" else power(low, made, Fraction(1, 2))
    return low.graph.name(made, text=source(call.node))


def _dims_text(dims: list[int], rank: int, given: ast.expr) -> str:
    if len(dims) == rank:
        return "" if isinstance(given, ast.Constant) and given.value is None else f"{tuple(dims)}, "
    return f"{dims[0] if len(dims) == 1 else tuple(dims)}, "


@lowers("norm")
def _norm(low: Lowering, call: Call) -> Indexed:
    made, dims, keep = _read(low, call)
    order = low.value(call["p"])
    if order in (None, 2, "fro"):
        made = power(low, reduced(power(low, made, 2), dims, keep), Fraction(1, 2))
        return low.graph.name(made, text=source(call.node))
    if order == 1:
        return reduced(low.tensor(ast.parse(f"torch.abs({ast.unparse(call['x'])})", mode="eval").body), dims, keep)
    raise UnsupportedError(f"a norm of order {order} has no index notation here")


@lowers("max", "min", "amax", "amin")
def _max(low: Lowering, call: Call) -> Indexed:
    if is_array(low.value(call["dim"])):
        return larger(low, call.name, call["x"], call["dim"])
    made, dims, keep = _read(low, call)
    made = low.graph.name(low.flat(made))
    which = "argmax" if "max" in call.name else "argmin"
    numbers, said = low.value(call["x"]), low.said(call["x"])
    if len(dims) == 1:
        (d,) = dims
        others = tuple(a for k, a in enumerate(made.axes) if k != d and a is not None)
        values = getattr(numbers, which)(d)
        table = low.graph.table(f"{said}.{which}({d})", values)
        mapping: dict[Index, Index] = {}
        axis = made.axes[d]
        if axis is None:
            return Indexed(made.expr, kept(made.axes, dims, keep))
        mapping[axis] = Gathered(table, others)
        return Indexed(made.expr.put(mapping), kept(made.axes, dims, keep))
    if len(dims) < len(made.axes):
        raise UnsupportedError("the largest element along several axes has no index notation here")
    axes = [axis for index in made.axes for axis in plain_order(index)]
    table = low.graph.table(f"{said}.{which}()", getattr(numbers, which)())
    here = Delta(merge(axes), Gathered(table, ()))
    picked = Expr([term((), [(here, 1)])])
    return Indexed((made.expr * picked).sum(axes), kept(made.axes, dims, keep))


@lowers("median")
def _median(low: Lowering, call: Call) -> Indexed:
    made, dims, keep = _read(low, call)
    if len(dims) != 1 or made.axes[dims[0]] is None:
        raise UnsupportedError("a median of all elements has no index notation here")
    made, (d,) = low.graph.name(low.flat(made)), dims
    axis = made.axes[d]
    assert axis is not None
    others = tuple(a for k, a in enumerate(made.axes) if k != d and a is not None)
    values = low.value(call["x"]).median(d).indices
    table = low.graph.table(f"{low.said(call['x'])}.median({d}).indices", values)
    return Indexed(made.expr.put({axis: Gathered(table, others)}), kept(made.axes, dims, keep))


@lowers("sort", "topk")
def _sort(low: Lowering, call: Call) -> list[Indexed]:
    made = low.graph.name(low.flat(low.tensor(call["x"])))
    (d,) = low.dims(call["dim"], len(made.axes))
    values = low.value(call.node)
    text = ast.unparse(call.node)
    axis = made.axes[d]
    if axis is None:
        raise UnsupportedError(f"`{call.name}` along an axis of length one has no index notation here")
    table = low.graph.table(f"{text}.indices", values.indices)
    axes = list(made.axes)
    if call.name == "topk":
        axes[d] = first = fresh(symbol(values.indices.shape[d]))
        low.graph.sizes.say(first.size, ast.unparse(call["k"]))
    index = Gathered(table, tuple(a for a in axes if a is not None))
    return [Indexed(made.expr.put({axis: index}), tuple(axes)), Indexed(Expr(), tuple(axes))]


@lowers("logsumexp")
def _logsumexp(low: Lowering, call: Call) -> Indexed:
    made, dims, keep = _read(low, call)
    return Indexed(log_sum(low, made, dims).expr, kept(made.axes, dims, keep))


def log_sum(low: Lowering, made: Indexed, dims: list[int]) -> Indexed:
    """The logarithm of a sum of exponentials, as a function over the indices of the given axes."""
    over = tuple(axis for d in dims for axis in plain_order(made.axes[d]))
    named = low.graph.name(Indexed(made.expr, spread(made.axes)))
    axes = tuple(None if a in over else a for a in named.axes)
    return Indexed(low.graph.apply("logsumexp", (named.expr,), axes, over).expr, kept(made.axes, dims, True))


def spread(axes: Form) -> Form:
    """Axes with each one that a view merged as several."""
    return tuple(part for index in axes for part in (plain_order(index) if isinstance(index, Merged) else (index,)))


@lowers("log_softmax", "softmax", "softmin")
def _softmax(low: Lowering, call: Call) -> Indexed:
    made = low.tensor(call["x"])
    made = Indexed(low.graph.name(Indexed(made.expr, spread(made.axes))).expr, made.axes)
    if call.name == "softmin":
        made = Indexed(made.expr.scale(-1), made.axes)
    (d,) = low.dims(call["dim"], len(made.axes))
    return (log_softmax if call.name == "log_softmax" else softmax)(low, made, d, low.mention(call["x"]), call.name)


def log_softmax(low: Lowering, made: Indexed, d: int, said: str, name: str = "log_softmax") -> Indexed:
    """The logarithm of a softmax along one axis, under a name that says so."""
    axes, (place, said) = spread(made.axes), _said(low, made, d, said)
    total = log_sum(low, made, [d])
    text = f"F.log_softmax({'-' if name == 'softmin' else ''}{said}, {place})" if said else ""
    return Indexed(low.graph.name(Indexed(made.expr - total.expr, axes), text=text).expr, made.axes)


def softmax(low: Lowering, made: Indexed, d: int, said: str, name: str = "softmax") -> Indexed:
    """A softmax along one axis, as the exponential of its logarithm, under a name that says so."""
    axes, (place, text) = spread(made.axes), _said(low, made, d, said)
    logarithm = log_softmax(low, made, d, said, name)
    text = f"{_library(name)}.{name}({text}, {place})" if text else ""
    return Indexed(low.graph.apply("exp", (logarithm.expr,), axes, text=text).expr, made.axes)


def _said(low: Lowering, made: Indexed, d: int, said: str) -> tuple[int, str]:
    """Where an axis is in the tensor that a view is of, and the source of that tensor."""
    if not any(isinstance(a, Merged) for a in made.axes):
        return d, said
    single = made.expr.single()
    axis = made.axes[d]
    if single is None or axis not in single.indices or not low.graph.definitions[single.name].user:
        return d, ""
    return single.indices.index(axis), single.name


def _library(name: str) -> str:
    return "torch" if name == "softmax" else "F"


@lowers("cumsum")
def _cumsum(low: Lowering, call: Call) -> Indexed:
    made = low.flat(low.tensor(call["x"]))
    (d,) = low.dims(call["dim"], len(made.axes))
    axis = made.axes[d]
    if not isinstance(axis, Axis):
        raise UnsupportedError("a cumulative sum along this axis has no index notation here")
    after = fresh(axis.size)
    return Indexed(
        (made.expr * earlier(low, axis, after)).sum([axis]), tuple(after if a == axis else a for a in made.axes)
    )


def earlier(low: Lowering, place: Index, other: Index) -> Expr:
    """One where a place comes no later than another along the same axis."""
    (axis,) = plain_order(place)
    size = low.graph.sizes.find(axis.size)
    name, said = f"?earlier{size.tag}", low.graph.sizes.factor(size).name
    if name not in low.graph.definitions:
        low.graph.define(
            name, Definition((fresh(size), fresh(size)), (), "constant", text=f"torch.ones({said}, {said}).triu()")
        )
        low.graph.values[name] = torch.ones(size.number, size.number).triu().double()
        low.graph.masks[name] = ""
    return element(name, (place, other))
