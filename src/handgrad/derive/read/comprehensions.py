"""Read comprehensions: those over steps as loops, others element by element."""

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from handgrad.derive.read import containers, expressions, loops, targets
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.terms import Parts, Term

HELD = "·"
"""What ends the name under which a comprehension's list is held while it is read."""


def listed(reader: Reader, node: ast.ListComp | ast.GeneratorExp) -> Term:
    """A list of what a comprehension makes."""
    word, reader.word = reader.word or "items", ""
    made: list[Term] = []
    scope = reader.frame.scope
    with _own_names(reader, node.generators):
        rounds = _steps(reader, node.generators)
        if rounds is None:
            _each(reader, node.generators, lambda: made.append(expressions.expression(reader, node.elt)))
            return Parts(list, made)
        scope[word + HELD] = Parts(list, made)

        def append() -> None:
            made.append(reader.named(f"{word}_{len(made)}", expressions.expression(reader, node.elt)))

        loops.run(reader, rounds, node.generators[0].target, append)
        return scope.pop(word + HELD)


def mapped(reader: Reader, node: ast.DictComp) -> Term:
    """A dict of what a comprehension makes."""
    made: dict[Any, Term] = {}

    def put() -> None:
        key = expressions.expression(reader, node.key).value
        made[key] = expressions.expression(reader, node.value)

    with _own_names(reader, node.generators):
        _each(reader, node.generators, put)
    return Parts(dict, made)


def summed(reader: Reader, node: ast.ListComp | ast.GeneratorExp) -> Term | None:
    """The sum of what a comprehension over steps makes; None where it is not over steps."""
    scope = reader.frame.scope
    with _own_names(reader, node.generators):
        rounds = _steps(reader, node.generators)
        if rounds is None:
            return None
        scope["total" + HELD] = Term(ast.Constant(0), 0)

        def add() -> None:
            value = expressions.expression(reader, node.elt)
            total = expressions.operated(reader, ast.Add(), scope["total" + HELD], value)
            scope["total" + HELD] = reader.emit("total", total, own=False)

        loops.run(reader, rounds, node.generators[0].target, add)
        return scope.pop("total" + HELD)


def _steps(reader: Reader, generators: list[ast.comprehension]) -> "loops.Rounds | None":
    """What a comprehension runs over, if it is one over steps."""
    first = generators[0]
    if len(generators) > 1 or first.ifs:
        return None
    rounds = loops.rounds_of(reader, first.target, first.iter)
    return rounds if rounds.over is not None else None


def _each(reader: Reader, generators: list[ast.comprehension], make: Callable[[], None]) -> None:
    """Let a comprehension make each of its elements."""
    if not generators:
        make()
        return
    first, *rest = generators
    for item in containers.items(reader, expressions.expression(reader, first.iter)):
        targets.bind(reader, first.target, item)
        if all(expressions.decided(reader, expressions.expression(reader, test), test) for test in first.ifs):
            _each(reader, rest, make)


@contextmanager
def _own_names(reader: Reader, generators: list[ast.comprehension]) -> Iterator[None]:
    """What a comprehension assigns is its own."""
    scope = reader.frame.scope
    saved = dict(scope)
    try:
        yield
    finally:
        for generator in generators:
            for name in [n.id for n in ast.walk(generator.target) if isinstance(n, ast.Name)]:
                scope.pop(name, None)
                if name in saved:
                    scope[name] = saved[name]
