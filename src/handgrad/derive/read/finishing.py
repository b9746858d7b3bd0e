"""What was read as a program: its inputs and outputs, final names, and whether its numbers are those of the user's."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from handgrad.derive.read.calls import is_array
from handgrad.derive.read.naming import final_names, names_in, renamed_expression, renamed_steps
from handgrad.derive.read.program import Line, Program
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.running import is_float
from handgrad.derive.read.terms import Parts, Term
from handgrad.errors import DeriveError


def finished(reader: Reader, inputs: Sequence[str] | None, outputs: Sequence[Term]) -> Program:
    """The program that was read.

    Args:
        reader: what was read.
        inputs: the names to differentiate by, if they are given.
        outputs: what it returns.
    """
    if not outputs:
        raise DeriveError("no float tensor is returned", next_step="Return the loss, or what the gradient starts from.")
    ends = [_output(reader, term) for term in outputs]
    chosen = _inputs(reader, inputs)
    active = set(chosen)
    for line in reader.lines:
        if names_in(line.value) & active:
            active.update(name for name in line.targets if _floats(reader.values[name]))
    names = final_names(reader, active)
    lines = renamed_steps(_detached(reader, active), names)
    values = {**reader.namespace, **{names.get(name, name): value for name, value in reader.values.items()}}
    before = {name: value for name, value in values.items() if name not in names.values()}
    before |= {name: value for name, value in reader.namespace.items() if name not in before}
    last = _last_values(reader, names)
    kept = frozenset(n for n in values if (n in last and last[n] == n) or (n in reader.namespace and n not in last))
    library = "numpy" if any(type(values[name]).__module__ == "numpy" for name in chosen) else "torch"
    return Program(
        tuple(lines),
        tuple(chosen),
        names.get(ends[0], ends[0]),
        values,
        before,
        renamed={names[n]: made.base for n, made in reader.made.items() if made.own and names[n] != made.base},
        library=library,
        outputs=tuple(names.get(end, end) for end in ends),
        bindings=dict(reader.bindings),
        kept=kept,
        assumed=tuple(reader.assumed),
    )


def _last_values(reader: Reader, names: Mapping[str, str]) -> dict[str, str]:
    """Which name of single assignment each name of the user's own ends with."""
    found: dict[str, str] = {}
    for name, term in reader.frames[0].scope.items():
        if term.name is not None:
            found[name] = names.get(term.name, term.name)
    return found


def _output(reader: Reader, term: Term) -> str:
    if isinstance(term, Parts) or not is_array(term.value):
        raise DeriveError(
            f"the output '{ast.unparse(term.node)}' is no tensor", next_step="Name a variable that is one."
        )
    return term.name if term.name is not None else str(reader.emit("out", term).name)


def _inputs(reader: Reader, given: Sequence[str] | None) -> list[str]:
    read = {name for line in reader.lines for name in names_in(line.value)}
    floats = [name for name in reader.values if name not in reader.made and is_float(reader.values[name])]
    if given is not None:
        for name in given:
            if name not in reader.values:
                if name not in reader.namespace:
                    raise DeriveError(
                        f"there is no '{name}' to differentiate by", next_step="Name one of the variables."
                    )
                reader.from_namespace(name)
        return list(given)
    floats = [name for name in floats if name in read]
    wanting = [name for name in floats if id(reader.values[name]) in reader.convert.wanting]
    return wanting or floats


def _floats(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(_floats(part) for part in value)
    return is_float(value)


def _detached(reader: Reader, active: set[str]) -> list[Line]:
    """The lines, those that were made without gradients and depend on an input detached."""
    found: list[Line] = []
    for line in reader.lines:
        if reader.detached.intersection(line.targets) and names_in(line.value) & active:
            node = ast.Call(ast.Attribute(line.value, "detach", ast.Load()), [], [])
            line = Line(line.targets, node, line.text, line.number, line.within)
        found.append(line)
    return found


_ = renamed_expression
