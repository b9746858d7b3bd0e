"""Lower matrix products and their kin."""

import ast

from handgrad.derive.indices import Axis, Index, plain_order
from handgrad.derive.lower.arithmetic import plus, times
from handgrad.derive.lower.graph import Indexed, UnsupportedError
from handgrad.derive.lower.lowering import Lowering, lowers
from handgrad.derive.read.calls import Call


@lowers("matmul", "dot", "mv")
def _matmul(low: Lowering, call: Call) -> Indexed:
    return matmul(low, low.tensor(call["x"]), low.tensor(call["other"]))


def matmul(low: Lowering, one: Indexed, other: Indexed) -> Indexed:
    """The product over the last axis of one value and the last but one of another."""
    one, other = low.one(one), low.one(other)
    if len(one.axes) == 1:
        made = matmul(low, Indexed(one.expr, (None, *one.axes)), other)
        return Indexed(made.expr, (*made.axes[:-2], *made.axes[-1:]) if len(other.axes) > 1 else made.axes[:-1])
    if len(other.axes) == 1:
        made = matmul(low, one, Indexed(other.expr, (*other.axes, None)))
        return Indexed(made.expr, made.axes[:-1])
    *lead, i, k = one.axes
    *lead2, k2, j = other.axes
    back, mapping, _ = low.maps((k,), (k2,))
    one, other = one.put(back), other.put(mapping)
    *lead, i, k = one.axes
    *lead2, _, j = other.axes
    left, right, axes = low.align(Indexed(one.expr, tuple(lead)), Indexed(other.expr, tuple(lead2)))
    return Indexed((left.expr * right.expr).sum(plain_order(k)), (*axes, i, j))


@lowers("outer")
def _outer(low: Lowering, call: Call) -> Indexed:
    one, other = low.tensor(call["x"]), low.tensor(call["other"])
    return times(low, Indexed(one.expr, (*one.axes, None)), other)


@lowers("addmm")
def _addmm(low: Lowering, call: Call) -> Indexed:
    made = times(low, matmul(low, low.tensor(call["x"]), low.tensor(call["other"])), low.tensor(call["alpha"]))
    return plus(low, made, times(low, low.tensor(call["bias"]), low.tensor(call["beta"])))


@lowers("linear")
def _linear(low: Lowering, call: Call) -> Indexed:
    weight = low.tensor(call["weight"])
    turned = Indexed(weight.expr, (weight.axes[1], weight.axes[0])) if len(weight.axes) == 2 else weight
    made = matmul(low, low.tensor(call["x"]), turned)
    return made if low.value(call["bias"]) is None else plus(low, made, low.tensor(call["bias"]))


@lowers("einsum")
def _einsum(low: Lowering, call: Call) -> Indexed:
    equation = str(low.value(call["equation"])).replace(" ", "")
    operands = call["operands"]
    if "." in equation or not isinstance(operands, ast.Tuple):
        raise UnsupportedError("an einsum with '...' has no index notation here")
    left, arrow, right = equation.partition("->")
    if not arrow:
        letters = [c for c in left if c.isalpha()]
        right = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    known: dict[str, Index | None] = {}
    out = None
    for subscripts, node in zip(left.split(","), operands.elts, strict=True):
        made = low.one(low.tensor(node))
        for d, letter in enumerate(subscripts):
            axis = made.axes[d]
            if known.get(letter) is None:
                known[letter] = axis
            elif axis is not None:
                back, mapping, (joined,) = low.maps((known[letter],), (axis,))
                made = made.put(mapping)
                out = out.put(back) if out is not None else None
                known[letter] = joined
        out = Indexed(made.expr if out is None else out.expr * made.expr)
    assert out is not None
    over = [axis for letter, index in known.items() if letter not in right for axis in plain_order(index)]
    return Indexed(out.expr.sum(over), tuple(known[c] for c in right))


@lowers("trace")
def _trace(low: Lowering, call: Call) -> Indexed:
    made = on_diagonal(low, low.tensor(call["x"]), 0, 1)
    return Indexed(made.expr.sum(plain_order(made.axes[-1])))


@lowers("diagonal", "diag")
def _diagonal(low: Lowering, call: Call) -> Indexed:
    made = low.tensor(call["x"])
    if len(made.axes) < 2 or low.value(call["offset" if call.name == "diagonal" else "diagonal"]):
        raise UnsupportedError("this diagonal has no index notation here")
    first, second = (low.integer(call["dim1"]), low.integer(call["dim2"])) if call.name == "diagonal" else (0, 1)
    return on_diagonal(low, made, first % len(made.axes), second % len(made.axes))


def on_diagonal(low: Lowering, made: Indexed, first: int, second: int) -> Indexed:
    """The elements where two axes are at the same place, along an axis at the end."""
    i, j = made.axes[first], made.axes[second]
    if not (isinstance(i, Axis) and isinstance(j, Axis) and i.size.number == j.size.number):
        raise UnsupportedError("a diagonal of axes of different lengths has no index notation here")
    low.graph.sizes.unify(i.size, j.size)
    made = low.graph.name(made)
    rest = [a for d, a in enumerate(made.axes) if d not in (first, second)]
    return Indexed(made.expr.put({j: i}), (*rest, i))
