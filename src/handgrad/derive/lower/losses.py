"""Lower cross-entropy and its kin, whose targets are classes."""

import ast

from handgrad.derive.expr import ONE
from handgrad.derive.indices import Axis, Merged, plain_order, put_index
from handgrad.derive.lower.arithmetic import plus, power, times
from handgrad.derive.lower.graph import Indexed, UnsupportedError, fitting, is_hidden
from handgrad.derive.lower.lowering import Lowering, lowers
from handgrad.derive.lower.masks import condition
from handgrad.derive.lower.reductions import averaged, log_softmax, reduced, spread
from handgrad.derive.read.calls import Call

IGNORED = -100
"""The class that PyTorch ignores where none is named."""


@lowers("cross_entropy", "nll_loss")
def _cross_entropy(low: Lowering, call: Call) -> Indexed:
    if call.name == "cross_entropy":
        _remember(low, call["x"])
    made = low.tensor(call["x"])
    d = 1 if len(made.axes) > 1 else 0
    if call.name == "cross_entropy":
        made = log_softmax(low, made, d, low.mention(call["x"]))
    if low.value(call["target"]).is_floating_point():
        picked = reduced(times(low, made, low.tensor(call["target"])), [d], False)
        return _over_rows(low, call, _negative(picked), None)
    if not isinstance(made.axes[d], Axis):
        raise UnsupportedError(f"`{call.name}` over one class has no index notation here")
    target, kept = _ignoring(low, call)
    weight = None if low.value(call["weight"]) is None else _at(low, low.tensor(call["weight"]), 0, target)
    losses = _negative(_at(low, made, d, target))
    smoothing = call.arguments.get("label_smoothing")
    if smoothing is not None and low.value(smoothing):
        if weight is not None:
            raise UnsupportedError("`cross_entropy` with class weights and label_smoothing has no index notation here")
        share = low.tensor(smoothing)
        even = _negative(averaged(low, low.refreshed(made), [d], False))
        losses = plus(
            low, times(low, losses, plus(low, Indexed(ONE), share, -1)), times(low, even, low.refreshed(share))
        )
    weights = weight if kept is None else kept if weight is None else times(low, weight, kept)
    if weights is not None:
        losses = times(low, losses, weights)
    return _over_rows(low, call, losses, weights)


def _remember(low: Lowering, node: ast.expr) -> None:
    """Let logits that have no name have a line of their own, should they need one."""
    made = low.tensor(node)
    text = "" if any(isinstance(i, Merged) for i in made.axes) else low.said(node)
    named = low.graph.name(Indexed(made.expr, spread(made.axes)), text=text)
    single = named.expr.single()
    if single is not None and is_hidden(single.name):
        low.graph.words.setdefault(single.name, fitting(low.graph, "logits"))
        low.keep(node, Indexed(named.expr, made.axes))


def _negative(made: Indexed) -> Indexed:
    return Indexed(made.expr.scale(-1), made.axes)


def _ignoring(low: Lowering, call: Call) -> tuple[ast.expr, Indexed | None]:
    """The classes, and the mask of those that count where some may be ignored."""
    target, ignored = call["target"], call["ignore_index"]
    number = low.value(ignored)
    if number == IGNORED and not bool((low.value(target) == number).any()):
        return target, None
    kept, _ = condition(low, ast.Compare(target, [ast.NotEq()], [ignored]))
    if number < 0:
        target = ast.Call(ast.Attribute(target, "clamp", ast.Load()), [], [ast.keyword("min", ast.Constant(0))])
    return ast.fix_missing_locations(target), kept


def _at(low: Lowering, made: Indexed, d: int, target: ast.expr) -> Indexed:
    """A value at the classes of a target along one axis."""
    axis = made.axes[d]
    assert isinstance(axis, Axis)
    index, form = low.index(target)
    others = tuple(a for k, a in enumerate(made.axes) if k != d)
    back, mapping, axes = low.maps(others, form)
    named = low.graph.name(made).put(back)
    return Indexed(named.expr.put({axis: put_index(index, mapping)}), axes)


def _over_rows(low: Lowering, call: Call, losses: Indexed, weights: Indexed | None) -> Indexed:
    reduction = low.value(call["reduction"])
    every = list(range(len(losses.axes)))
    if reduction == "none":
        return losses
    if reduction == "sum":
        return reduced(losses, every, False)
    if weights is None:
        count = low.graph.sizes.product(a for index in losses.axes for a in plain_order(index))
        return times(low, reduced(losses, every, False), power(low, Indexed(count), -1))
    total = reduced(low.refreshed(weights), list(range(len(weights.axes))), False)
    return times(low, reduced(losses, every, False), power(low, total, -1))
