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
    """A forward pass from `inputs`, the float tensors to differentiate by, to `output`.

    `values` holds every name, modules and functions too, as it was when the lines ran, float tensors in float64;
    `before` the names that were there before the first line. `renamed` says which name of the user's each name of
    single assignment stands for, where it is another one. `library` is "torch" or "numpy".
    """

    lines: tuple[Line | Loop, ...]
    inputs: tuple[str, ...]
    output: str
    values: Mapping[str, Any]
    before: Mapping[str, Any]
    renamed: Mapping[str, str] = field(default_factory=dict)
    library: str = "torch"

    def makers(self) -> Iterator[tuple[str, Line]]:
        """Each name that a plain line makes, and the line."""
        for line in self.lines:
            if isinstance(line, Line):
                yield from ((name, line) for name in line.targets)
