"""Whether rounds of a loop read elements of a tensor that are other ones below the loop."""

import ast
import builtins
from collections.abc import Iterator, Sequence
from typing import Any

from handgrad.derive.emit.source import written
from handgrad.derive.lines.running import numbers_in
from handgrad.derive.read.program import Line, Loop, Program, Store
from handgrad.derive.read.steps import names_in


def overwritten_reads(program: Program, loop: Loop) -> list[str]:
    """The elements, as they are written, that a round reads and a later write changes: the loop is run to see it.

    Args:
        program: a program with loops.
        loop: one of its lines, or a loop in one.
    """
    tensors = {stored.name for stored in loop.stored if hasattr(program.values[stored.name], "shape")}
    if not any(_elements(part, tensors) for part in loop.body):
        return []
    watched = _Watched(program, tensors)
    with numbers_in("float64"):
        watched.run(loop)
    return watched.changed()


class _Watched:
    """A run of a loop that notes what elements of some tensors were when they were read."""

    def __init__(self, program: Program, tensors: set[str]):
        self.names = {"__builtins__": builtins, **program.values}
        self.tensors = tensors
        self.seen: list[tuple[ast.expr, dict[str, Any], Any]] = []

    def run(self, loop: Loop) -> None:
        """Run a loop from its start."""
        for stored in loop.stored:
            self.names[stored.name] = self._value(stored.start)
        for carried in loop.carried:
            self.names[carried.leaving] = self.names[carried.start]
        for index in self._value(loop.over):
            self.names[loop.variable] = index
            for carried in loop.carried:
                self.names[carried.entering] = self.names[carried.leaving]
            for part in loop.body:
                for element in _elements(part, self.tensors) if not isinstance(part, Loop) else ():
                    plain = {n: self.names[n] for n in names_in(element.slice) if isinstance(self.names.get(n), int)}
                    self.seen.append((element, plain, _copy(self._value(element))))
                if isinstance(part, Loop):
                    self.run(part)
                elif isinstance(part, Line):
                    exec(f"{', '.join(part.targets)} = {written(part.value)}", self.names)
                else:
                    exec(part.source, self.names)

    def changed(self) -> list[str]:
        """The elements that are not any more what they were."""
        found = []
        for element, plain, value in self.seen:
            self.names.update(plain)
            if not bool((self._value(element) == value).all()):
                found.append(written(element))
        return list(dict.fromkeys(found))

    def _value(self, node: ast.expr) -> Any:
        return eval(compile(ast.fix_missing_locations(ast.Expression(node)), "<forward>", "eval"), self.names)


def _copy(value: Any) -> Any:
    return value.clone() if hasattr(value, "clone") else value.copy()


def _elements(part: Line | Loop | Store, tensors: set[str]) -> Sequence[ast.Subscript]:
    """The elements of tensors that a step reads itself, not in rounds of its own."""

    def found() -> Iterator[ast.Subscript]:
        nodes: list[ast.expr] = []
        if isinstance(part, Line):
            nodes = [part.value]
        elif isinstance(part, Store):
            nodes = [part.value, *([part.index] if part.index is not None else [])]
        for node in nodes:
            for inner in ast.walk(node):
                match inner:
                    case ast.Subscript(ast.Name(name)) if name in tensors:
                        yield inner

    if isinstance(part, Loop):
        return [element for inner in part.body for element in _elements(inner, tensors)]
    return list(found())
