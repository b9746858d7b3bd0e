"""What was read as a program: its inputs and outputs, final names, and whether its numbers are those of the user's."""

import ast
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from handgrad.derive.read.naming import final_names
from handgrad.derive.read.program import Line, Loop, Program, Store
from handgrad.derive.read.reader import Reader, plain
from handgrad.derive.read.running import is_complex, is_float
from handgrad.derive.read.steps import Some, Step, names_in, names_made, names_used, renamed_steps
from handgrad.derive.read.terms import Parts, Stale, Term
from handgrad.errors import DeriveError

WRITTEN_OUT = 24
"""Up to how many rounds a loop is written out."""


def finished(
    reader: Reader, inputs: Sequence[str] | None, outputs: Sequence[Term], arguments: Collection[str] | None = None
) -> Program:
    """The program that was read.

    Args:
        reader: what was read.
        inputs: the names to differentiate by, if they are given.
        outputs: what it returns.
        arguments: the names of the arguments of the function that was read, if it was one.

    Raises:
        DeriveError: there is no output, or it does not depend on an input.
    """
    if not outputs:
        raise DeriveError("no float tensor is returned", next_step="Return the loss, or what the gradient starts from.")
    several = len(outputs) > 1
    ends = [_output(reader, term, f"out_{k}" if several else "out") for k, term in enumerate(outputs)]
    _drop_unused(reader, ends)
    chosen = _inputs(reader, inputs, arguments)
    active = set(chosen)
    _activate(reader, reader.lines, active)
    if ends[0] not in active:
        raise DeriveError(
            f"'{reader.made[ends[0]].base}' does not depend on a float tensor that can be differentiated by",
            expected="lines such as 'y = x @ w'",
        )
    names = final_names(reader, active, _outside(reader.lines))
    steps = _detached(reader, reader.lines, active)
    statements = tuple(s for s in renamed_steps(steps, names) if not isinstance(s, Store))
    drawn = tuple(names[name] for name in reader.made if name in reader.draws.names)
    known = {names.get(name, name): value for name, value in reader.values.items() if name in names or "·" not in name}
    values = {**reader.namespace, **known}
    made = set(names.values()) - set(drawn)
    before = {name: value for name, value in values.items() if name not in made}
    before |= {name: value for name, value in reader.namespace.items() if name not in before}
    library = "numpy" if any(type(values[name]).__module__ == "numpy" for name in chosen) else "torch"
    program = Program(
        tuple(line for line in statements if isinstance(line, Loop) or not set(drawn).intersection(line.targets)),
        tuple(chosen),
        names.get(ends[0], ends[0]),
        values,
        before,
        renamed={
            names[n]: made.base for n, made in reader.made.items() if made.round is None and names[n] != made.base
        },
        library=library,
        outputs=tuple(names.get(end, end) for end in ends),
        bindings=dict(reader.bindings),
        drawn=drawn,
        notes=tuple(reader.notes),
        kept=_kept(reader, names),
        lasting=_lasting(reader, names),
        statements=statements,
    )
    short = all(len(line.rounds) <= WRITTEN_OUT for line in program.lines if isinstance(line, Loop))
    return program.written_out() if short else program


def _kept(reader: Reader, names: Mapping[str, str]) -> frozenset[str]:
    """The names that have the same value below the user's own lines."""
    scope = reader.frames[0].scope
    last = _last(reader, names)
    changed = {name for name, term in {**reader.current, **scope}.items() if isinstance(term, Stale)}
    changed |= {name for name in reader.current if name not in last}
    own = {name for name, value in last.items() if value == name}
    return frozenset((own | (reader.namespace.keys() - scope.keys())) - changed)


def _last(reader: Reader, names: Mapping[str, str]) -> dict[str, str]:
    """For each of the user's own names, the name of its last value."""
    scope = reader.frames[0].scope
    return {name: names.get(term.name, term.name) for name, term in scope.items() if term.name is not None}


def _lasting(reader: Reader, names: Mapping[str, str]) -> dict[str, str]:
    """The user's own name for the last value of each that was assigned again, or changed in place."""
    changed = {
        name: names.get(t.name, t.name) for name, t in reader.current.items() if t.name and not isinstance(t, Stale)
    }
    last = {**changed, **_last(reader, names)}
    return {name: own for own, name in last.items() if name != own != "_"}


def _output(reader: Reader, term: Term, wanted: str) -> str:
    if isinstance(term, Parts) or not is_float(term.value):
        raise DeriveError(
            f"'{plain(ast.unparse(term.node))}' is no float tensor, so it has no gradient",
            next_step="Name a variable that is one, or end with a line that makes one.",
        )
    return term.name if term.name in reader.made else str(reader.emit(wanted, term).name)


def _inputs(reader: Reader, given: Sequence[str] | None, arguments: Collection[str] | None) -> list[str]:
    """The names to differentiate by.

    Those of a function are its arguments and the parameters that it finds; otherwise what requires gradients, and
    where nothing does all that is read.
    """
    read = names_used(reader.lines)
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
    floats = [name for name in floats if name in read and name not in reader.buffers]
    wanting = [name for name in floats if id(reader.values[name]) in reader.convert.wanting]
    if arguments is None:
        return wanting or floats
    roots = {name: _root(reader.bindings.get(name, name)) for name in floats}
    return [name for name in floats if roots[name] in arguments or name in wanting] or floats


def _root(text: str) -> str:
    """The name that an expression such as `model.fc.weight` begins with."""
    return text.partition(".")[0].partition("[")[0]


def _floats(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(_floats(part) for part in value)
    return is_float(value)


def _activate(reader: Reader, steps: Iterable[Step], active: set[str]) -> None:
    """Add what depends on an input to the names that do."""
    for step in steps:
        match step:
            case Line():
                if names_in(step.value) & active:
                    if any(is_complex(reader.values.get(name)) for name in step.targets):
                        raise DeriveError("complex numbers have no backward pass here", where=step.where)
                    active.update(name for name in step.targets if _floats(reader.values.get(name)))
            case Store():
                if names_in(step.value) & active:
                    active.add(step.container)
            case Loop():
                active.update(s.name for s in step.stored if names_in(s.start) & active)
                before = -1
                while before != len(active):
                    before = len(active)
                    active.update(c.entering for c in step.carried if {c.start, c.leaving} & active)
                    _activate(reader, step.body, active)
                _activate(reader, step.written_out, active)


def _detached(reader: Reader, steps: Iterable[Some], active: set[str]) -> list[Some]:
    """The steps, lines that were made without gradients and depend on an input detached."""
    found: list[Any] = []
    for step in steps:
        new: Step = step
        if isinstance(step, Loop):
            body, written_out = _detached(reader, step.body, active), _detached(reader, step.written_out, active)
            new = replace(step, body=tuple(body), written_out=tuple(written_out))
        elif isinstance(step, Line) and reader.detached.intersection(step.targets) and names_in(step.value) & active:
            node = ast.Call(ast.Attribute(step.value, "detach", ast.Load()), [], [])
            new = replace(step, value=node)
        found.append(new)
    return found


def _drop_unused(reader: Reader, ends: Collection[str]) -> None:
    """Leave out lines of functions that nothing reads, and those of names for names."""
    used = {term.name for term in reader.frames[0].scope.values()} | set(ends)
    for step in reader.lines[::-1]:
        if isinstance(step, Line) and used.isdisjoint(step.targets):
            alias = isinstance(step.value, ast.Name)
            if alias or not any(reader.made[name].own for name in step.targets):
                reader.lines.remove(step)
                for name in step.targets:
                    del reader.made[name]
                continue
        used |= names_used([step])
        if isinstance(step, Loop):
            used |= names_used(step.written_out)


def _outside(steps: Iterable[Step]) -> set[str]:
    """The names that are read outside the loop that makes them."""
    found: set[str] = set()
    for step in steps:
        inside = set(names_made([step])) if isinstance(step, Loop) else set()
        found |= names_used([step]) - inside
        if isinstance(step, Loop):
            found |= _outside(step.body) - inside
    return found
