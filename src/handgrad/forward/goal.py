"""Where the forward pass ends: at a loss, at a name that was asked for, or at a line."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from handgrad.checker.place import Place
from handgrad.checker.read.names import uses
from handgrad.checker.read.source import Source, Statement
from handgrad.checker.run.losses import Losses
from handgrad.errors import ConfigError
from handgrad.forward.ran import Ran
from handgrad.forward.reading import (
    is_about_gradients,
    is_training_loop,
    straight,
    updates_something,
    values_read,
)


class Goal(Protocol):
    """What a program is run up to."""

    losses: Losses
    others: list[str]
    """What may be meant as well."""

    def is_inside(self, statement: Statement) -> bool:
        """Whether it is reached by going through the blocks of a statement, or the body of a function it calls."""
        ...

    def is_in(self, function: ast.FunctionDef) -> bool:
        """Whether it is reached in the body of a function."""
        ...

    def is_reached(self, ran: Ran, rest: Sequence[Statement]) -> str | None:
        """The name whose value ends the pass, where this statement made it and the `rest` of its block adds nothing."""
        ...


class LossGoal:
    """The first loss of the program: what `--of` names, what autograd differentiates, or what is called like one.

    Of a loss that is made in several statements (`loss = data_loss + penalty`) it is the last that counts.
    """

    def __init__(self, source: Source, losses: Losses, chosen: str | None = None):
        """Look for a loss called `chosen`, or for any."""
        self.losses, self.chosen = losses, chosen
        nodes = [node for statement in source.statements for node in ast.walk(statement.node)]
        self.functions = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}
        self.found: str | None = None
        self.others: list[str] = []
        self._scalars: dict[str, None] = {}
        self._read: set[str] = set()
        self.any_scalar = not any(self._makes(s.node) for s in source.statements)

    def is_inside(self, statement: Statement) -> bool:
        """Whether a block of the statement, or the body of a function that it calls, makes the loss."""
        node = statement.node
        if isinstance(node, ast.For | ast.While):
            return is_training_loop(node, self.losses) or (self.any_scalar and updates_something(node))
        if isinstance(node, ast.With | ast.If | ast.Try):
            return self._makes(node) or any(isinstance(part, ast.Return) for part in ast.walk(node))
        return any(self.is_in(function) for function in self._called(node))

    def is_in(self, function: ast.FunctionDef) -> bool:
        """Whether the body of a function makes the loss."""
        return self._holds(function.body, {function.name})

    def is_reached(self, ran: Ran, rest: Sequence[Statement]) -> str | None:
        """The loss, once the statements to come make no further one of it."""
        for name in ran.writes:
            if self._is_loss(name, ran):
                self.found = name
                self._scalars[name] = None
        self._read |= ran.reads if ran.writes else set()
        if not self.found or self._goes_on(self.found, rest):
            return None
        if self.chosen is None:
            unread = [name for name in self._scalars if name not in self._read and name != self.found]
            self.others = unread if self.any_scalar else list(self._further(self.found, rest))
        return self.found

    def _further(self, name: str, rest: Sequence[Statement]) -> Iterator[str]:
        """Losses that later statements make, before a gradient is computed."""
        for statement in self._before_gradients(rest):
            for other in sorted(uses(statement.node).binds - {name}):
                if self.losses.are_bound_anew({other}, set()) and not self.losses.is_spelled_like_a_gradient(other):
                    yield other

    def _is_loss(self, name: str, ran: Ran) -> bool:
        value = ran.held.get(name)
        if self.chosen is not None:
            return name == self.chosen and is_float(value)
        called_so = self.any_scalar or self.losses.are_bound_anew({name}, set())
        return called_so and ran.computes and is_float(value) and size_of(value) == 1

    def _goes_on(self, name: str, rest: Sequence[Statement]) -> bool:
        """Whether a later statement makes a loss of this one, before a gradient is computed."""
        if self.chosen is not None:
            return any(name in uses(s.node).changes for s in self._before_gradients(rest))
        made = {name}
        for statement in self._before_gradients(rest):
            if self.any_scalar:
                return True
            written = uses(statement.node)
            if values_read(statement.node) & made:
                made |= written.binds | written.changes
                if self.losses.are_bound_anew(written.binds | written.changes, set()):
                    return True
        return False

    def _before_gradients(self, rest: Sequence[Statement]) -> Iterator[Statement]:
        for statement in rest:
            if is_about_gradients(statement.node, self.losses) or self.is_inside(statement):
                return
            yield statement

    def _makes(self, node: ast.stmt, within: frozenset[str] = frozenset()) -> bool:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return False
        if isinstance(node, ast.With | ast.If | ast.Try):
            return any(self._makes(part, within) for part in straight([node]))
        found = uses(node)
        if self.losses.are_bound_anew(found.binds | found.changes, set()):
            return True
        return any(self._holds(f.body, {*within, f.name}) for f in self._called(node) if f.name not in within)

    def _holds(self, body: list[ast.stmt], within: set[str]) -> bool:
        return any(self._makes(part, frozenset(within)) for part in body)

    def _called(self, node: ast.stmt) -> Iterator[ast.FunctionDef]:
        """The functions and methods of the program that a statement calls, as far as their names tell."""
        if isinstance(node, ast.Expr | ast.Assign | ast.Return | ast.Raise):
            calls = [part.func for part in ast.walk(node) if isinstance(part, ast.Call)]
            names = [getattr(called, "attr", getattr(called, "id", None)) for called in calls]
            yield from (self.functions[name] for name in names if name in self.functions)


@dataclass(frozen=True)
class Lines:
    """A range of lines of a file, or of a cell of a notebook; without a first or a last one it is open there."""

    first: int | None
    last: int | None
    cell: int | None = None

    def hold(self, place: Place) -> bool:
        """Whether a statement that begins there lies in it."""
        low, high = self.first or 1, self.last if self.last is not None else place.line
        return place.cell == self.cell and low <= place.line <= high

    @staticmethod
    def parse(first: str | None, last: str | None) -> "Lines | None":
        """From `LINE`, or in a notebook `CELL:LINE`, of both ends; None where neither is given.

        >>> Lines.parse("9:4", "9:12")
        Lines(first=4, last=12, cell=9)
        """
        found = [_parsed(text, where) for text, where in ((first, "--from"), (last, "--to"))]
        if not any(found):
            return None
        (cell, low), (other, high) = (end or (None, None) for end in found)
        if all(found) and cell != other:
            raise ConfigError("these lines lie in two cells", where="--to", got=f"{first} and {last}")
        return Lines(low, high, other if cell is None else cell)


class LineGoal:
    """The last statement that begins in a range of lines."""

    def __init__(self, losses: Losses, lines: Lines):
        """Look for the statements in `lines`, the last of which is given."""
        self.losses, self.lines = losses, lines
        self.others: list[str] = []

    def is_inside(self, statement: Statement) -> bool:
        """Whether the range ends inside a block of the statement, or in a function that it calls."""
        node, place = statement.node, statement.place
        if isinstance(node, ast.FunctionDef | ast.ClassDef) or self.lines.hold(place):
            return False
        if not hasattr(node, "body"):
            return any(isinstance(part, ast.Call) for part in ast.walk(node))
        if any(is_training_loop(part, self.losses) for part in straight([node])):
            return True
        return place.cell == self.lines.cell and place.line < (self.lines.last or 0) <= node.end_lineno

    def is_in(self, function: ast.FunctionDef) -> bool:
        """Whether the range ends in the body of a function."""
        return function.lineno < (self.lines.last or 0) <= (function.end_lineno or 0)

    def is_reached(self, ran: Ran, rest: Sequence[Statement]) -> str | None:
        """The last float that the range makes, once no statement in it is left to run."""
        if not self.lines.hold(ran.statement.place) or any(self.lines.hold(s.place) for s in rest):
            return None
        made = [name for name in _in_order(ran.statement.node) if is_float(ran.held.get(name))]
        return made[-1] if made else None


def _parsed(text: str | None, where: str) -> tuple[int | None, int] | None:
    if text is None:
        return None
    cell, _, line = text.rpartition(":")
    if not line.isdecimal() or (cell and not cell.isdecimal()):
        raise ConfigError("this is no line", where=where, got=text, expected="LINE, or in a notebook CELL:LINE")
    return int(cell) if cell else None, int(line)


def _in_order(node: ast.stmt) -> list[str]:
    return [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def is_float(value: Any) -> bool:
    """Whether the value is a tensor, an array or a NumPy number of floats."""
    if isinstance(value, Tensor):
        return value.is_floating_point()
    return isinstance(value, np.ndarray | np.generic) and value.dtype.kind == "f"


def size_of(value: Any) -> int:
    """How many numbers a tensor or an array holds."""
    return value.numel() if isinstance(value, Tensor) else int(np.size(value))
