"""A forward pass as data: its lines in single assignment, and what each name was when they ran."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from handgrad.derive.read.printing import line_source, loop_source


@dataclass(frozen=True)
class Line:
    """One assignment of the forward pass, as it is used: each target is a name that nothing else assigns.

    `value` is the right-hand side with the names of single assignment in it. `text` is the user's own statement, as it
    is quoted, and `number` where it stands; lines of a function that the program calls have the function's name in
    `within`, and its text and numbers.
    """

    targets: tuple[str, ...]
    value: ast.expr
    text: str
    number: int
    within: str = ""

    @property
    def source(self) -> str:
        """The line in the names of single assignment, in the user's spelling where no name is another."""
        return line_source(self)

    @property
    def where(self) -> str:
        """Where the line stands, as errors say it."""
        return place(self.number, self.text, self.within)


@dataclass(frozen=True)
class Carried:
    """A name that a round of a loop reads before it makes it.

    `start` is what it is ahead of the loop, `entering` what a round finds, `leaving` what a round leaves behind, and
    `after` what it is below the loop. `summed` says that a round only adds to it: `leaving = entering + ...`.
    """

    start: str
    entering: str
    leaving: str
    after: str
    summed: bool = False


@dataclass(frozen=True)
class Store:
    """A round writes `value`, a name, into a list, a dict or a tensor: `hs.append(h)`, `hs[t] = h`, `h[t] += a`.

    `container` is one name in the loop and below it; ahead of the loop it holds what is in it before. `index` is None
    where a list is appended to; `added` says that it is added to what is there.
    """

    container: str
    index: ast.expr | None
    value: str
    text: str
    number: int
    added: bool = False
    within: str = ""


@dataclass(frozen=True)
class Loop:
    """A `for` loop over steps: its variables, what it runs over, and its body in single assignment.

    `variables` are the names that a round is given by the header; `over` is what the header runs over, with the names
    of single assignment in it. `carried` are the names that go from round to round, `stored` what rounds write
    elements of. `rounds` has, for each round, what every name of the body was.
    """

    variables: tuple[str, ...]
    target: ast.expr
    over: ast.expr
    body: tuple["Line | Loop | Store", ...]
    carried: tuple[Carried, ...]
    stored: tuple[str, ...]
    rounds: tuple[Mapping[str, Any], ...]
    text: str
    number: int
    within: str = ""

    @property
    def source(self) -> str:
        """The loop in the names of single assignment."""
        return loop_source(self)

    @property
    def where(self) -> str:
        """Where the loop stands, as errors say it."""
        return place(self.number, self.text.splitlines()[0], self.within)


@dataclass(frozen=True)
class Program:
    """A forward pass from `inputs`, the float tensors to differentiate by, to its outputs.

    The sources of the lines, run one after the other from `before`, give `values`.

    Attributes:
        lines: the lines in their order, without those that draw random numbers.
        inputs: the names to differentiate by.
        output: the name that the backward pass starts from; the first of `outputs`, where a function returns several.
        values: every name, modules and functions too, as it was when the lines ran, float tensors in float64.
        before: the names that were there before the first line, and what was drawn.
        renamed: the user's name for each name of single assignment that is another one.
        bindings: what a name stands for in the user's program, where that is no name: `W` for `self.W`.
        drawn: the names of random numbers, which the lines do not draw again.
        notes: what holds only for the values that the lines ran with, such as the branch taken.
        library: "torch" or "numpy".
        kept: the names that have, below the user's own lines, the value that they have here. Where a backward pass
            needs others, `source` has to stand in the place of the user's lines.
        statements: the lines, and those that draw among them.
    """

    lines: tuple[Line | Loop, ...]
    inputs: tuple[str, ...]
    output: str
    values: Mapping[str, Any]
    before: Mapping[str, Any]
    renamed: Mapping[str, str] = field(default_factory=dict)
    library: str = "torch"
    outputs: tuple[str, ...] = ()
    bindings: Mapping[str, str] = field(default_factory=dict)
    drawn: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    kept: frozenset[str] = frozenset()
    statements: tuple[Line | Loop, ...] = ()

    def makers(self) -> Iterator[tuple[str, Line]]:
        """Each name that a plain line makes, and the line."""
        for line in self.lines:
            if isinstance(line, Line):
                yield from ((name, line) for name in line.targets)

    @property
    def source(self) -> str:
        """The forward pass in the names of single assignment, what the bindings stand for first."""
        bound = [_bound(name, text, self.values[name]) for name, text in self.bindings.items()]
        return "\n".join([*bound, *(line.source for line in self.statements)])


def _bound(name: str, text: str, value: Any) -> str:
    if isinstance(value, ModuleType):
        return f"import {text}" if text == name else f"import {text} as {name}"
    return f"{name} = {text}"


def place(number: int, text: str, within: str = "") -> str:
    """A line by its number, in the program or in a function that it calls, and its text."""
    return f"line {number}{f' of {within}' if within else ''}: {text}"
