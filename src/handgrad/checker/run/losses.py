"""Which of a program's names stand for a loss, and which for a gradient."""

import ast
import re
from typing import Any

from handgrad.checker.read.compared import compared
from handgrad.checker.read.names import gradient_of, uses, variables_of
from handgrad.checker.read.source import Source
from handgrad.checker.read.spelling import DOT, LOSS, bare
from handgrad.checker.run.machine import Machine
from handgrad.checker.run.values import is_float


class Losses:
    """The losses of a program, known from all the names in it before it runs.

    `found` are those met so far, in order; `evident` those known by their name, by a `.backward()`, or by a gradient
    of their own.
    """

    def __init__(self, source: Source, machine: Machine, chosen: str | None = None):
        """Collect the names of `source`; `chosen` is the loss where the user has said which it is."""
        self.chosen = chosen
        self.found: list[str] = []
        self.evident: set[str] = set()
        self.names = {n for n, v in machine.namespace.items() if is_float(v)}
        self.read: set[str] = set()
        for statement in source.statements:
            self._collect(statement.node)
        self._compared = compared(source.statements)
        self._called = set().union(*(_called_backward(s.node) for s in source.statements))
        prefixed = {
            n for n in self.names & {"L", "J"} if any(re.match(f"d_?(?i:{n})_?d", other) for other in self.names)
        }
        spelled = {n for n in self.names if LOSS.search(n) or n in prefixed}
        self._spelled = {n for n in spelled if not self.is_spelled_like_a_gradient(n)}

    def _collect(self, node: ast.stmt) -> None:
        found = uses(node)
        self.names |= found.binds | found.changes
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                self.read.add(part.id)
            if isinstance(part, ast.FunctionDef):
                inside = [uses(n) for n in part.body]
                self.names |= set().union(*(u.binds | u.changes for u in inside)) | {a.arg for a in part.args.args}

    def is_spelled_like_a_gradient(self, name: str) -> bool:
        """Whether the name is spelled like the gradient of another of the program's names, or compared with one."""
        name = bare(name)
        spelled = gradient_of(name, self.names - {name}) is not None and bool(variables_of(name))
        return spelled or name in self._compared

    def are_written(self, names: set[str]) -> bool:
        """Whether one of the names is spelled like a loss, or chosen as the loss."""
        names = {bare(name) for name in names}
        return self.chosen in names or bool(names & self._spelled)

    def are_bound_anew(self, binds: set[str], reads: set[str]) -> bool:
        """Whether a loss is among what is bound and not read, as it would be where it is added to."""
        losses = self._spelled | self._called | {self.chosen}
        return any(bare(name) in losses for name in binds - reads)

    def is_loss(self, name: str, value: Any) -> bool:
        """Whether this name and value may be the loss of a pass."""
        if not (is_float(value) and value.numel() == 1):
            return False
        if self.chosen is not None:
            return bare(name) == self.chosen
        name, entry = bare(name), bare(name).rpartition(DOT)[2]
        if name != entry and entry in self._spelled:
            self.evident.add(name)
            return True
        if value.dim() == 0 and any(gradient_of(other, {name}) for other in self.names):
            self.evident.add(name)
        if name in self._spelled | self._called | self.evident:
            self.evident.add(name)
            return not self.is_spelled_like_a_gradient(name)
        if value.dim() or self.is_spelled_like_a_gradient(name):
            return False
        return not (self._spelled or self._called & set(self.found))

    def may_be_made_of_some(self, name: str, value: Any) -> bool:
        """Whether this name and value is a scalar after losses that are known as such by their names alone."""
        scalar = is_float(value) and value.dim() == 0 and not self.is_spelled_like_a_gradient(name)
        return scalar and bool(self.found) and not self.chosen and not self.certain()

    def certain(self) -> set[str]:
        """The losses met so far that are chosen, or known by more than their names."""
        own = {n for n in self.found if any(gradient_of(other, {bare(n)}) for other in self.names)}
        return {n for n in self.found if n in own | self._called or bare(n) == self.chosen}


def _called_backward(node: ast.stmt) -> set[str]:
    """The names on which `.backward()` is called: what autograd differentiates is a loss."""
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call) and not n.args]
    return {
        call.func.value.id
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "backward"
        and isinstance(call.func.value, ast.Name)
    }
