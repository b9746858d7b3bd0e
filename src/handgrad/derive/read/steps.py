"""What lines, loops and stores make and use, and how they read under other names."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from handgrad.derive.read.program import Line, Loop, Store, Stored
from handgrad.derive.read.terms import name_of

Step = Line | Loop | Store
Some = TypeVar("Some", bound=Line | Loop | Store)


def parts_of(steps: Iterable[Step]) -> Iterator[str | ast.expr]:
    """The names that steps make, as text, and the expressions that they use, in the order of the source."""
    for step in steps:
        match step:
            case Line():
                yield step.value
                yield from step.targets
            case Store():
                yield name_of(step.container)
                yield step.index if step.index is not None else ast.Constant(None)
                yield step.value
            case Loop():
                yield step.over
                yield step.variable
                for stored in step.stored:
                    yield stored.start
                    yield stored.name
                for carried in step.carried:
                    yield name_of(carried.start)
                    yield carried.entering
                yield from parts_of(step.body)
                yield from (name_of(carried.leaving) for carried in step.carried)


def names_made(steps: Iterable[Step]) -> list[str]:
    """The names that steps make."""
    return [part for part in parts_of(steps) if isinstance(part, str)]


def names_used(steps: Iterable[Step]) -> set[str]:
    """The names in what steps use."""
    return {name for part in parts_of(steps) if isinstance(part, ast.expr) for name in names_in(part)}


def names_in(node: ast.AST) -> set[str]:
    """The names in an expression."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def renamed(node: Any, names: Mapping[str, str | ast.expr], marks: Mapping[str, str | None] | None = None) -> Any:
    """An expression with other names in it, as a copy, since parts of expressions are shared.

    Args:
        node: the expression.
        names: the other names, or expressions in their place.
        marks: the name of the index for the marks of loops, None for one whose index is to be a number; where it is
            left out, all of them are.
    """
    match node:
        case list():
            return [renamed(part, names, marks) for part in node]
        case ast.Name(name):
            other = names.get(name, name)
            return name_of(other) if isinstance(other, str) else renamed(other, {}, {})
        case ast.Constant(value, str(kind)) if marks is None or kind in marks:
            index = marks[kind] if marks is not None else None
            return name_of(index) if index is not None else ast.Constant(value)
        case ast.AST():
            return type(node)(**{field: renamed(value, names, marks) for field, value in ast.iter_fields(node)})
    return node


def renamed_steps(
    steps: Iterable[Some], names: Mapping[str, str | ast.expr], marks: Mapping[str, str | None] | None = None
) -> list[Some]:
    """Lines, loops and stores under other names; see `renamed`."""

    def word(name: str) -> str:
        other = names.get(name, name)
        return other if isinstance(other, str) else name

    found: list[Any] = []
    for step in steps:
        match step:
            case Line():
                value = renamed(step.value, names, marks)
                found.append(replace(step, targets=tuple(map(word, step.targets)), value=value))
            case Store():
                index = renamed(step.index, names, marks) if step.index is not None else None
                value = renamed(step.value, names, marks)
                found.append(replace(step, container=word(step.container), index=index, value=value))
            case Loop():
                carried = tuple(
                    replace(c, start=word(c.start), entering=word(c.entering), leaving=word(c.leaving))
                    for c in step.carried
                )
                stored = tuple(Stored(word(s.name), renamed(s.start, names, marks)) for s in step.stored)
                found.append(
                    replace(
                        step,
                        variable=word(step.variable),
                        over=renamed(step.over, names, marks),
                        body=tuple(renamed_steps(step.body, names, marks)),
                        carried=carried,
                        stored=stored,
                        rounds=tuple({word(k): v for k, v in values.items()} for values in step.rounds),
                        written_out=tuple(renamed_steps(step.written_out, names, marks)),
                    )
                )
    return found


def started(stored: Stored) -> str:
    """The name of the tensor that one that rounds write into starts as, '' where it is none."""
    match stored.start:
        case ast.Name(name) | ast.Call(ast.Attribute(ast.Name(name), "clone" | "copy"), []):
            return name
    return ""
