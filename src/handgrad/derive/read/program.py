"""A forward pass as data: its lines in single assignment, and what each name was when they ran."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Line:
    """One assignment of the forward pass, as it is used: each target is a name that nothing else assigns.

    `value` is the right-hand side with the names of single assignment in it; `text` the user's own line, as it is
    quoted, and `number` where it stands.
    """

    targets: tuple[str, ...]
    value: ast.expr
    text: str
    number: int

    @property
    def source(self) -> str:
        """The line in the names of single assignment."""
        return f"{', '.join(self.targets)} = {ast.unparse(self.value)}"


@dataclass(frozen=True)
class Loop:
    """A `for` loop over steps: its variable, what it runs over, and the lines of its body in single assignment.

    `carried` gives, for each name that a round reads before it is made, the name that the round leaves behind; `stored`
    the lists, dicts and tensors that a round writes an element of.
    """

    variable: str
    over: ast.expr
    body: tuple["Line | Loop", ...]
    carried: Mapping[str, str]
    stored: tuple[str, ...]
    text: str
    number: int


@dataclass(frozen=True)
class Program:
    """A forward pass from `inputs`, the float tensors to differentiate by, to its outputs.

    Attributes:
        lines: the lines that make floats of the inputs, in their order; what only makes constants is left out.
        inputs: the names to differentiate by.
        output: the name that the backward pass starts from; the first of `outputs`, where a function returns several.
        values: every name, modules and functions too, as it was when the lines ran, float tensors in float64.
        before: the names that were there before the first line.
        renamed: the user's name for each name of single assignment that is another one.
        bindings: what a name stands for in the user's program, where that is no name: `W` for `self.W`.
        drawn: the names of random numbers, which the lines do not draw again.
        notes: what holds only for the values that the lines ran with, such as the branch taken.
        library: "torch" or "numpy".
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

    def makers(self) -> Iterator[tuple[str, Line]]:
        """Each name that a plain line makes, and the line."""
        for line in self.lines:
            if isinstance(line, Line):
                yield from ((name, line) for name in line.targets)
