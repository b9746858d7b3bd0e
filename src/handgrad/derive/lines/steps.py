"""What a backward pass is made of before it is written: gradients, and the steps that make them."""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from handgrad.derive.lines.terms import Replacement, filled, rebuilt
from handgrad.derive.read.program import Line, Loop, Store

GRADIENT = "gradient of the step"
"""The name by which a step's `place` and `call` mean the gradient that they add to."""

VALUE = "value of the step"
"""The name by which a step's `whole` means its value."""


@dataclass(frozen=True)
class Term:
    """A gradient as source, and an example of it, whose shape broadcasts to that of what it is the gradient of."""

    source: ast.expr
    example: Any

    @property
    def constant(self) -> bool:
        """Whether it is a number, the same for all elements."""
        return not hasattr(self.example, "shape")


@dataclass(frozen=True)
class Step:
    """A temporary is given a value, or something is added to a gradient.

    Attributes:
        name: the temporary, or the variable whose gradient is added to.
        value: what is given or added.
        hint: what a temporary may be called; empty where `name` is a variable.
        whole: the value in the shape of the variable, for the first that its gradient is given.
        place: the elements of the gradient that `value` is added to, where these are some.
        call: what adds to some elements of the gradient where that is a call.
        zeros: what the gradient is before some of its elements are added to.
        adds: whether `value` is added even where it is the first.
        sets: whether the `place` is set to `value`, whatever is there.
    """

    name: str
    value: ast.expr | None = None
    hint: str = ""
    whole: ast.expr | None = None
    place: ast.expr | None = None
    call: ast.expr | None = None
    zeros: ast.expr | None = None
    adds: bool = False
    sets: bool = False

    @property
    def in_place(self) -> bool:
        """Whether it adds to some elements."""
        return self.place is not None or self.call is not None

    def expressions(self) -> Iterator[ast.expr]:
        """All that it has of source."""
        yield from (part for f in fields(self) if isinstance(part := getattr(self, f.name), ast.expr))

    def rebuilt(self, swap: Replacement) -> "Step":
        """The step with other parts in its source."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        changed = {name: rebuilt(part, swap) for name, part in parts.items() if isinstance(part, ast.expr)}
        return replace(self, **changed)


@dataclass(frozen=True)
class Round:
    """A loop of a backward pass, which goes from a loop's last round to its first.

    Attributes:
        header: the loop's first line.
        opening: what a round begins with: names, and what they are given.
        steps: what a round does, each with what it undoes.
        names: the variables whose gradients have a value when a round begins: what it adds to, and what it is given.
        passed: the names of gradients that a round gives the next one, and the names under which that finds them.
        likes: what has the shape of variables that have no name of the program's own below its loop.
    """

    header: str
    opening: tuple[tuple[tuple[str, ...], ast.expr], ...]
    steps: "tuple[tuple[Line | Loop | Store, Step | Round], ...]"
    names: tuple[str, ...]
    passed: tuple[tuple[str, str], ...] = ()
    likes: Mapping[str, ast.expr] = field(default_factory=dict)


def gradient_of(variable: str) -> ast.Name:
    """What stands for the gradient of a variable until it has its name."""
    return ast.Name(f"gradient of {variable}", ast.Load())


def zeros(node: ast.expr, value: Any) -> ast.expr:
    """A gradient of zeros for a tensor, or for a list or dict of tensors."""
    template = "torch.zeros_like(x)"
    if isinstance(value, dict):
        template = "{key: torch.zeros_like(part) for key, part in x.items()}"
    elif isinstance(value, list | tuple):
        template = "[torch.zeros_like(part) for part in x]"
    return filled(template, {"x": node})


def named(names: Callable[[str], ast.expr | None]) -> Replacement:
    """A replacement of names alone."""
    return lambda node: names(node.id) if isinstance(node, ast.Name) else None


def uses(node: ast.expr, name: str) -> int:
    """How often a name stands in an expression."""
    return sum(isinstance(part, ast.Name) and part.id == name for part in ast.walk(node))
