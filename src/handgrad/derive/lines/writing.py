"""Steps as lines of source."""

import ast
from collections.abc import Iterator

from handgrad.derive.emit.source import written
from handgrad.derive.lines.steps import GRADIENT, VALUE, Step, named
from handgrad.derive.lines.terms import filled, negated, positive, rebuilt, variable

VIEWS = frozenset(
    {
        "view",
        "reshape",
        "flatten",
        "unflatten",
        "expand",
        "expand_as",
        "unsqueeze",
        "squeeze",
        "transpose",
        "permute",
        "movedim",
        "swapaxes",
        "view_as",
        "unbind",
        "diagonal",
        "narrow",
        "select",
        "split",
        "chunk",
        "contiguous",
    }
)
"""Methods whose value may share its elements with what they are called on."""


def as_lines(step: Step, gradient: str, *, first: bool, more: bool) -> Iterator[str]:
    """The lines of a step.

    Args:
        step: the step, without a temporary in it that has no name yet.
        gradient: the name that it gives a value or adds to.
        first: whether that name has no value yet.
        more: whether other steps add to it later.
    """
    step = step.rebuilt(named({GRADIENT: variable(gradient)}.get))
    if step.zeros is not None and first:
        yield f"{gradient} = {written(step.zeros)}"
    if step.call is not None:
        yield written(step.call)
        return
    target = gradient if step.place is None else written(step.place)
    value = step.value
    assert value is not None
    if first and step.whole is not None:
        value = rebuilt(step.whole, named({VALUE: value}.get))
    if first and not step.adds:
        shared = more and step.place is None and _is_view(value)
        yield f"{target} = {written(filled('x.clone()', {'x': value}) if shared else value)}"
    elif negated(value):
        yield f"{target} -= {written(positive(value))}"
    else:
        yield f"{target} += {written(value)}"


def _is_view(node: ast.expr) -> bool:
    """Whether a value may share its elements with a name."""
    match node:
        case ast.Name():
            return True
        case ast.Call(ast.Attribute(owner, method)) if method in VIEWS:
            return _is_view(owner)
        case ast.Attribute(owner, "T") | ast.Subscript(owner):
            return _is_view(owner)
    return False
