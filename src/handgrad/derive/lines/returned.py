"""What one forward line sends back to a variable, as expressions that need no lines before them."""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from handgrad.derive.emit.source import written
from handgrad.derive.lines.branches import chosen
from handgrad.derive.lines.broadcast import spread
from handgrad.derive.lines.running import shape_of
from handgrad.derive.lines.scope import Scope
from handgrad.derive.lines.sending import Sending
from handgrad.derive.lines.sizes import Sizes
from handgrad.derive.lines.steps import GRADIENT, VALUE, Step, Term, named
from handgrad.derive.lines.terms import called, filled, parsed, rebuilt
from handgrad.derive.lines.terms import variable as name_of
from handgrad.derive.read.calls import evaluated
from handgrad.derive.read.program import Line, Program
from handgrad.derive.rules import UncoveredError

RESULT = "value of the line"
"""The name of a value that has none."""


def returned(
    value: ast.expr, variable: str, upstream: str, values: Mapping[str, Any], name: str | None = None
) -> list[str]:
    """What comes back to each use of `variable` in a forward line, in the variable's shape where it has one.

    Args:
        value: the right-hand side of the line.
        variable: the name whose gradient is sought.
        upstream: the gradient of `value`, as an expression; a number is the same for all of its elements.
        values: what the names in `value` and in `upstream` are.
        name: the name that `value` was given; None where it has none.

    Returns:
        An expression for each use that a gradient comes back to, one for both branches of a `torch.where`; none where
        no rule covers a call on the way there.

    Example:
        >>> import torch
        >>> values = {name: torch.rand(4, 3) for name in ("x", "dy")} | {"b": torch.rand(3), "torch": torch}
        >>> returned(ast.parse("torch.tanh(x + b)", mode="eval").body, "b", "dy", values, "y")
        ['((1 - y**2) * dy).sum(0)']
    """
    target = name or RESULT
    known = dict(values) if name in values else {**values, target: evaluated(value, values)}
    scope = Scope(Program((Line((target,), value, ast.unparse(value), 1),), (variable,), target, known, values))
    gradient = parsed(upstream)
    example = scope.value(gradient)
    if example is None or not scope.active(value):
        return []
    sending = Sending(scope, Sizes(scope))
    try:
        sending.send(value, Term(gradient, example), name)
        found = list(_expressions(sending.steps, variable, scope))
    except UncoveredError:
        return []
    return [written(expression) for expression in chosen(found)]


def _expressions(steps: list[Step], variable: str, scope: Scope) -> Iterator[ast.expr]:
    """What the steps add to the gradient of a variable, with the temporaries written out."""
    temporaries: dict[str, ast.expr] = {}
    for step in steps:
        expression = _expression(step.rebuilt(named(temporaries.get)), scope)
        if step.hint:
            temporaries[step.name] = expression
        elif step.name == variable:
            yield expression


def _expression(step: Step, scope: Scope) -> ast.expr:
    if step.place is not None:
        return _placed(step, scope)
    if step.call is not None:
        return _called(step)
    assert step.value is not None
    if step.whole is None or shape_of(scope.value(name_of(step.name))) == ():
        return step.value
    return rebuilt(step.whole, named({VALUE: step.value}.get))


def _called(step: Step) -> ast.expr:
    """`dx.index_add_(0, ix, dy)` as `torch.zeros_like(x).index_add(0, ix, dy)`."""
    match step.call:
        case ast.Call(ast.Attribute(owner, method), arguments, keywords) if method.endswith("_"):
            function = ast.Attribute(owner, method.removesuffix("_"), ast.Load())
            call = called(function, arguments, keywords)
            return _in_zeros(owner, call, step)
    raise UncoveredError("what is added in place there is no expression")


def _placed(step: Step, scope: Scope) -> ast.expr:
    """`dx[rows, ix] = dy` as `torch.zeros_like(x).index_put((rows, ix), dy)`."""
    assert isinstance(step.place, ast.Subscript)
    assert step.value is not None
    owner, index = step.place.value, step.place.slice
    where = index.elts if isinstance(index, ast.Tuple) else [index]
    picked = ast.Subscript(_like(step), index, ast.Load())
    value, example = step.value, scope.value(step.value)
    if shape_of(example) != shape_of(scope.value(picked)):
        value = spread(Term(value, example), picked)
    parts = {"dx": owner, "dy": value}
    cut = [d for d, part in enumerate(where) if not _is_whole(part)]
    if all(_picks(scope.value(part)) for part in where):
        tensors = ast.Tuple([_as_tensor(part, scope) for part in where], ast.Load())
        put = filled("dx.index_put(where, dy)", {**parts, "where": tensors})
    elif len(cut) == 1 and isinstance(scope.value(where[cut[0]]), int):
        put = filled(f"dx.select_scatter(dy, {cut[0]}, i)", {**parts, "i": where[cut[0]]})
    elif len(cut) == 1 and isinstance(part := where[cut[0]], ast.Slice) and part.step is None:
        ends = {"start": part.lower or ast.Constant(0), "end": part.upper or ast.Constant(None)}
        bounds = "start, end" if part.upper else "start"
        put = filled(f"dx.slice_scatter(dy, {cut[0]}, {bounds})", {**parts, **ends})
    else:
        raise UncoveredError("what is added in place there is no expression")
    return _in_zeros(owner, put, step)


def _in_zeros(owner: ast.expr, changed: ast.expr, step: Step) -> ast.expr:
    """A gradient that is zero but for what was added, in the place of the one that it was added to."""
    assert step.zeros is not None
    flat = ast.dump(owner) == ast.dump(filled("dx.view(-1)", {"dx": name_of(GRADIENT)}))
    if not (flat or isinstance(owner, ast.Name)):
        raise UncoveredError("what is added in place there is no expression")
    whole = filled("dx.view_as(x)", {"dx": changed, "x": _like(step)}) if flat else changed
    return rebuilt(whole, named({GRADIENT: step.zeros}.get))


def _like(step: Step) -> ast.expr:
    """What a gradient has the shape of."""
    match step.zeros:
        case ast.Call(_, [like, *_]):
            return like
    raise UncoveredError("what is added in place there is no expression")


def _is_whole(part: ast.expr) -> bool:
    return isinstance(part, ast.Slice) and part.lower is part.upper is part.step is None


def _picks(index: Any) -> bool:
    """Whether a part of an index is a tensor or makes one."""
    return isinstance(index, list | range) or shape_of(index) != ()


def _as_tensor(part: ast.expr, scope: Scope) -> ast.expr:
    match part:
        case ast.Call(ast.Name("range"), bounds):
            return called(parsed("torch.arange"), bounds, [])
        case _ if isinstance(scope.value(part), list | range):
            return filled("torch.tensor(index)", {"index": part})
    return part
