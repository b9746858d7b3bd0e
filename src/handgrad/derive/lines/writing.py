"""Steps as lines of source."""

import ast
import textwrap
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from handgrad.derive.backward import GradientLine
from handgrad.derive.emit.source import written
from handgrad.derive.lines.arithmetic import negated, positive
from handgrad.derive.lines.block import Done
from handgrad.derive.lines.naming import Gradients
from handgrad.derive.lines.steps import GRADIENT, VALUE, Round, Step, named, zeros
from handgrad.derive.lines.terms import filled, rebuilt, variable
from handgrad.derive.read.program import Line, Loop

VIEWS = frozenset(
    {
        *("view", "reshape", "flatten", "unflatten", "expand", "expand_as", "unsqueeze", "squeeze", "transpose"),
        *("permute", "movedim", "swapaxes", "view_as", "unbind", "diagonal", "narrow", "select", "split", "chunk"),
        "contiguous",
    }
)
"""Methods whose value may share its elements with what they are called on."""


class Writer:
    """Writes steps, of a program or of a round of one of its loops.

    Args:
        gradients: the names of gradients.
        values: what the names of the program are.
        given: the gradient that comes from outside, which is not to be changed.
    """

    def __init__(self, gradients: Gradients, values: Mapping[str, Any], given: str | None):
        """See the class."""
        self.gradients, self.values, self.given = gradients, values, given

    def lines(self, steps: Iterable[Done]) -> Iterator[GradientLine]:
        """The lines of a program's backward pass, each with what it undoes."""
        steps = list(steps)
        left = Counter(name for _, step in steps for name in names_of(step))
        begun: set[str] = set()
        before: list[str] = []
        for part, step in steps:
            left.subtract(names_of(step))
            before += self._text(step, begun, {name for name, count in left.items() if count > 0})
            begun.update(names_of(step))
            if isinstance(step, Round) or not step.hint:
                assert isinstance(part, Line | Loop)
                name = step.names[0] if isinstance(step, Round) else step.name
                yield GradientLine(self.gradients.of(name), "\n".join(before), part)
                before = []

    def _text(self, step: Step | Round, begun: Collection[str], added: Collection[str]) -> Iterator[str]:
        if isinstance(step, Round):
            yield from self._loop(step, begun)
            return
        name = step.name if step.hint else self.gradients.of(step.name)
        changed = {self.gradients.names.get(other, other) for other in added}
        yield from as_lines(step, name, first=step.name not in begun, changed=changed)

    def _loop(self, turn: Round, begun: Collection[str]) -> Iterator[str]:
        for name in turn.names:
            if name not in begun:
                gradient = self.gradients.of(name)
                new = f"{gradient}.clone()" if name == self.given else self._start(name, turn.likes)
                yield f"{gradient} = {new}"
        yield turn.header
        opening = (f"{', '.join(names)} = {written(value)}" for names, value in turn.opening)
        for text in (*opening, *self._round(turn)):
            yield textwrap.indent(text, "    ")

    def _round(self, turn: Round) -> Iterator[str]:
        times = Counter(name for _, step in turn.steps for name in names_of(step))
        added = {*turn.names, *(name for name, count in times.items() if count > 1)}
        begun = set(turn.names)
        for _, step in turn.steps:
            yield from self._text(step, begun, added)
            begun.update(names_of(step))
        for name, entering in turn.passed:
            new = self.gradients.of(entering) if entering else self._start(name, turn.likes)
            yield f"{self.gradients.of(name)} = {new}"

    def _start(self, name: str, likes: Mapping[str, ast.expr]) -> str:
        """A gradient before anything is added to it."""
        return written(zeros(likes.get(name, variable(name)), self.values.get(name)))


def names_of(step: Step | Round) -> Collection[str]:
    """The temporary that a step makes, or the variables to whose gradients it adds."""
    return step.names if isinstance(step, Round) else (step.name,)


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
    if step.sets or (first and not step.adds):
        viewed = _viewed(value) if step.place is None else None
        shared = viewed is not None and viewed != gradient and (gradient in changed or viewed in changed)
        template = "[part.clone() for part in x]" if _is_several(value) else "x.clone()"
        text = written(filled(template, {"x": value}) if shared else value)
        if text != target:
            yield f"{target} = {text}"
    elif negated(value):
        yield f"{target} -= {written(positive(value))}"
    else:
        yield f"{target} += {written(value)}"


def _is_several(node: ast.expr) -> bool:
    """Whether a value is a tensor taken apart."""
    match node:
        case ast.Call(ast.Attribute(_, method)):
            return method in ("unbind", "split", "chunk")
    return False


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
