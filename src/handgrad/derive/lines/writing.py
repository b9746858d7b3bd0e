"""Steps as lines of source."""

import ast
from collections.abc import Collection, Iterator

from handgrad.derive.emit.source import written
from handgrad.derive.lines.arithmetic import negated, positive
from handgrad.derive.lines.steps import GRADIENT, VALUE, Step, named
from handgrad.derive.lines.terms import filled, rebuilt, variable

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


def as_lines(step: Step, gradient: str, *, first: bool, changed: Collection[str]) -> Iterator[str]:
    """The lines of a step.

    Args:
        step: the step, without a temporary in it that has no name yet.
        gradient: the name that it gives a value or adds to.
        first: whether that name has no value yet.
        changed: the gradients that later steps add to.
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
        viewed = _viewed(value) if step.place is None else None
        shared = viewed is not None and (gradient in changed or viewed in changed)
        yield f"{target} = {written(filled('x.clone()', {'x': value}) if shared else value)}"
    elif negated(value):
        yield f"{target} -= {written(positive(value))}"
    else:
        yield f"{target} += {written(value)}"


def _viewed(node: ast.expr) -> str | None:
    """The name with which a value may share its elements."""
    match node:
        case ast.Name(name):
            return name
        case ast.Call(ast.Attribute(owner, method)) if method in VIEWS:
            return _viewed(owner)
        case ast.Attribute(owner, "T") | ast.Subscript(owner):
            return _viewed(owner)
    return None
