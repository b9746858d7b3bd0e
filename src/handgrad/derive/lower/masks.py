"""Lower what depends on a condition: where, masked_fill, clamp, and the functions that are linear piece by piece."""

import ast

import torch

from handgrad.derive.expr import Expr, element
from handgrad.derive.lower.arithmetic import plus, times
from handgrad.derive.lower.graph import Indexed, UnsupportedError
from handgrad.derive.lower.lowering import Lowering, lowers, source
from handgrad.derive.read.calls import Call


def condition(low: Lowering, node: ast.expr) -> tuple[Indexed, Indexed]:
    """A condition as a mask, and its complement."""
    made = low.value(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        return condition(low, node.operand)[::-1]
    mask = low.graph.constant(low.said(node), made.bool(), user=isinstance(node, ast.Name))
    single = mask.expr.single()
    assert single is not None
    return mask, Indexed(element(low.graph.complement(single.name), mask.axes), mask.axes)


def chosen(low: Lowering, node: ast.expr, yes: Indexed, no: Indexed) -> Indexed:
    """One value where a condition holds and another where it does not."""
    mask, rest = condition(low, node)
    return plus(low, times(low, mask, yes), times(low, rest, no))


@lowers("where")
def _where(low: Lowering, call: Call) -> Indexed:
    yes, no = low.value(call["x"]), low.value(call["other"])
    for part, other in ((no, call["x"]), (yes, call["other"])):
        if isinstance(part, float) and part == float("-inf"):
            kept = call["condition"] if other is call["x"] else ast.UnaryOp(ast.Invert(), call["condition"])
            return filled(low, low.tensor(other), kept, call.node)
    return chosen(low, call["condition"], low.tensor(call["x"]), low.tensor(call["other"]))


@lowers("masked_fill")
def _masked_fill(low: Lowering, call: Call) -> Indexed:
    fill = low.value(call["value"])
    made = low.tensor(call["x"])
    kept = ast.UnaryOp(ast.Invert(), call["mask"])
    if float(fill) == float("-inf"):
        return filled(low, made, kept, call.node)
    return chosen(low, call["mask"], low.tensor(call["value"]), made)


def filled(low: Lowering, made: Indexed, kept: ast.expr, node: ast.expr) -> Indexed:
    """A value with -inf outside of a mask: the exponential of it is zero there, and nothing comes back through it."""
    mask, _ = condition(low, kept)
    made, mask, axes = low.align(low.graph.name(made), mask)
    single = mask.expr.single()
    assert single is not None
    value = low.graph.apply("filled", (made.expr, mask.expr), axes, text=source(node))
    name = value.expr.single()
    assert name is not None
    if name.name not in low.graph.values:
        low.graph.values[name.name] = low.value(node)
    low.graph.filled[name.name] = single.name
    return value


@lowers("relu")
def _relu(low: Lowering, call: Call) -> Indexed:
    positive, _ = condition(low, ast.Compare(call["x"], [ast.Gt()], [ast.Constant(0)]))
    made = times(low, low.tensor(call["x"]), positive)
    single = positive.expr.single()
    assert single is not None
    low.relus[low.graph.key(made, "", (made.expr,), ())] = single.name
    return made if isinstance(call["x"], ast.Name) else low.graph.name(made, text=source(call.node))


@lowers("clamp", "hardtanh", "relu6")
def _clamp(low: Lowering, call: Call) -> Indexed:
    x = call["x"]
    if call.name == "relu6":
        low_, high = ast.Constant(0), ast.Constant(6)
    elif call.name == "hardtanh":
        low_, high = call["min_val"], call["max_val"]
    else:
        low_, high = call["min"], call["max"]
    made = low.tensor(x)
    bounds = [(bound, op) for bound, op in ((low_, ast.Lt()), (high, ast.Gt())) if low.value(bound) is not None]
    inside: ast.expr | None = None
    total = Indexed(Expr())
    for bound, op in bounds:
        outside = ast.Compare(x, [op], [bound])
        within = ast.Compare(x, [ast.GtE() if isinstance(op, ast.Lt) else ast.LtE()], [bound])
        total = plus(low, total, times(low, condition(low, outside)[0], low.tensor(bound)))
        inside = within if inside is None else ast.BinOp(inside, ast.BitAnd(), within)
    if inside is None:
        return made
    total = plus(low, times(low, made, condition(low, inside)[0]), total)
    return low.graph.name(total, text=source(call.node))


@lowers("maximum", "minimum", "fmax", "fmin")
def _maximum(low: Lowering, call: Call) -> Indexed:
    return larger(low, call.name, call["x"], call["other"])


def larger(low: Lowering, name: str, one: ast.expr, other: ast.expr) -> Indexed:
    """The larger of two values, or the smaller, element by element."""
    first = ast.Compare(one, [ast.Gt() if "max" in name else ast.Lt()], [other])
    if torch.any(torch.as_tensor(low.value(one)) == torch.as_tensor(low.value(other))):
        raise UnsupportedError("which of two equal values is larger cannot be said")
    return chosen(low, first, low.tensor(one), low.tensor(other))


@lowers("abs")
def _abs(low: Lowering, call: Call) -> Indexed:
    sign = low.graph.constant(f"torch.sign({ast.unparse(call['x'])})", torch.sign(low.value(call["x"])))
    return times(low, low.tensor(call["x"]), sign)


@lowers("tril", "triu")
def _tril(low: Lowering, call: Call) -> Indexed:
    made = low.tensor(call["x"])
    ones = torch.ones(low.value(call["x"]).shape[-2:]).bool()
    text = f"torch.ones_like({ast.unparse(call['x'])}).{call.name}({ast.unparse(call['diagonal'])})".replace(
        "(0)", "()"
    )
    kept = getattr(torch, call.name)(ones, low.integer(call["diagonal"]))
    return times(low, made, low.graph.constant(text, kept))


@lowers("dropout")
def _dropout(low: Lowering, call: Call) -> Indexed:
    if low.value(call["training"]) and low.value(call["p"]):
        raise UnsupportedError(
            "`dropout` draws a mask that nothing else sees: draw it on a line of its own, multiply by it"
        )
    return low.tensor(call["x"])


@lowers("sign", "floor", "ceil", "round")
def _steps(low: Lowering, call: Call) -> Indexed:
    return low.graph.constant(low.said(call.node), low.value(call.node))
