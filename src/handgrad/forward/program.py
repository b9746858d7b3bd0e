"""From a file to its forward pass: read it, run it as far as is needed, and cut the forward lines out of it."""

import contextlib
import linecache
import textwrap
from bisect import bisect
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from handgrad.checker.guard import outlived
from handgrad.checker.inspection import undisturbed
from handgrad.checker.place import Place
from handgrad.checker.read.local_modules import importable
from handgrad.checker.read.source import Source, SourceError, Statement, read_source
from handgrad.checker.run.limits import deep_enough
from handgrad.checker.run.losses import Losses
from handgrad.checker.run.machine import Machine
from handgrad.errors import DeriveError
from handgrad.forward.goal import Goal, LineGoal, Lines, LossGoal
from handgrad.forward.running import Runner
from handgrad.forward.slicing import Run, Slice, all_leaves, from_floats, from_names, from_parameters, sliced
from handgrad.forward.updates import updated

RAISED = "The program itself raises this."
CHOOSE = "--in NAME,NAME names others"
NO_FILE = "--data FOLDER names a folder with the file."


@dataclass(frozen=True)
class Part:
    """Which part of a program is meant; where nothing is said, all that leads to its loss.

    `loss` is what the program is run up to, `end` the variable whose gradient is the first, `start` are those to
    differentiate by, and `lines` the ones that are differentiated.
    """

    loss: str | None = None
    end: str | None = None
    start: tuple[str, ...] = ()
    lines: Lines | None = None

    @property
    def goal(self) -> str | None:
        """The name that is looked for."""
        return self.loss or self.end


@dataclass(frozen=True)
class Forward:
    """The forward lines of a program, and what is needed to read them."""

    path: Path | None
    lines: Slice
    machine: Machine

    def holding(self) -> AbstractContextManager[Any]:
        """The program's functions find around them what the lines do, as it was when these ran."""
        return self.machine.holding(dict(self.lines.before))

    @property
    def source(self) -> str:
        """The lines without their indentation, each at its own number as long as the numbers rise."""
        return "".join(text for _, text in self._laid_out())

    def place_of(self, number: int) -> Place:
        """Where a line of the source stands in the program."""
        starts = [start for start, _ in self._laid_out()]
        at = max(bisect(starts, number) - 1, 0)
        place = self.lines.statements[at].place
        return Place(place.file, place.line + number - starts[at], place.cell)

    def _laid_out(self) -> list[tuple[int, str]]:
        """Each statement: the number of its first line, and its text with all that stands before it."""
        found: list[tuple[int, str]] = []
        number = 0
        for statement in self.lines.statements:
            below = statement.place.line - number if statement.place.cell is None else 1
            text = "\n" * max(below if found else below - 1, bool(found)) + _dedented(statement)
            number += max(below, 1)
            found.append((number, text))
            number += _dedented(statement).count("\n")
        return found


def _dedented(statement: Statement) -> str:
    return textwrap.dedent(" " * statement.node.col_offset + statement.text)


def forward_of_file(path: Path, part: Part, *, data: Path | None = None, timeout: float | None = 60.0) -> Forward:
    """The forward pass of a script or a notebook, which is run as far as that goes.

    Raises:
        SourceError: the file cannot be read.
        DeriveError: it has no such pass, or raises before it.
    """
    source = read_program_file(path)
    with contained(source):
        return forward_of_source(source, machine_for(path, data), part, timeout)


def read_program_file(path: Path) -> Source:
    """Read a script or a notebook."""
    return registered(read_source(path))


def registered(source: Source) -> Source:
    """The program with its lines where Python looks them up, the cells of a notebook as files of their own."""
    for file, code in {one.place.unit: one.code for one in source.statements}.items():
        linecache.cache[file] = len(code), None, code.splitlines(keepends=True), file
    return source


def machine_for(path: Path, data: Path | None) -> Machine:
    """What runs a program in its folder, with the files of another one at hand.

    Raises:
        SourceError: there is no such folder.
    """
    if data is not None and not data.is_dir():
        raise SourceError("there is no such folder", where=data, next_step="--data names one with files to open.")
    return Machine(path.resolve().parent, data.resolve() if data else None)


def forward_of_source(source: Source, machine: Machine, part: Part, timeout: float | None) -> Forward:
    """The forward pass of a program that has been read."""
    runner = Runner(machine, goal_of(source, machine, part))
    if source.statements and (given := {name for name in machine.namespace if not name.startswith("__")}):
        runner.begin_with(source.statements[0], given)
    runner.run(source.statements, timeout)
    if runner.end is None:
        _refuse(source, runner, part, timeout)
    return forward_of_run(source, runner, part)


def goal_of(source: Source, machine: Machine, part: Part) -> Goal:
    """Where a part of a program ends.

    Raises:
        DeriveError: a name in it is none of the program.
    """
    losses = Losses(source, machine, part.goal)
    if unknown := [name for name in (part.loss, part.end, *part.start) if name and name not in losses.names]:
        raise DeriveError(f"nothing is called {unknown[0]!r} here", where=source.path)
    if part.lines and part.lines.last:
        return LineGoal(losses, part.lines)
    return LossGoal(source, losses, part.goal)


def forward_of_run(source: Source, runner: Runner, part: Part) -> Forward:
    """The forward lines among the statements that ran."""
    output = part.end or runner.end
    assert output is not None
    last = max((i for i, one in enumerate(runner.ran) if output in one.writes), default=None)
    if last is None:
        raise DeriveError(f"nothing called {output!r} is made before the loss", where=source.path)
    lines = part.lines
    within = (lambda statement: lines.hold(statement.place)) if lines else lambda _: True
    run = Run(runner.ran[: last + 1], output, runner.machine.namespace, within)
    found = _cut(source, run, part)
    if others := runner.goal.others:
        note = f"the loss is {output}, though {', '.join(others)} may be one too; --of NAME names another"
        found = replace(found, notes=(*found.notes, note))
    return Forward(source.path, found, runner.machine)


def _cut(source: Source, run: Run, part: Part) -> Slice:
    if part.start:
        found = sliced(run, from_names(run.ran, set(part.start)), set(part.start))
        if missing := [name for name in part.start if name not in found.inputs]:
            what = f"{run.output} does not depend on a float tensor called {missing[0]!r}"
            raise DeriveError(what, where=source.path, next_step="--in names those to differentiate by.")
        return found
    asked = from_parameters(run.ran)
    found = sliced(run, asked, all_leaves(asked))
    if found.inputs or found.containers:
        return found
    floats = from_floats(run.ran)
    found = sliced(run, floats, all_leaves(floats))
    changed = updated(source, run.ran) & {*found.inputs, *found.containers}
    if changed:
        return sliced(run, floats, changed)
    names = ", ".join((*found.inputs, *found.containers))
    return replace(
        found, notes=(f"no tensor requires a gradient: all floats are differentiated by, {names}; {CHOOSE}",)
    )


@contextlib.contextmanager
def contained(source: Source) -> Iterator[None]:
    """What the program does to this process is undone, its warnings are silent, and it is where it thinks it is."""
    folder = source.path.resolve().parent if source.path else None
    with (
        undisturbed(),
        outlived(source.path),
        deep_enough(s.node for s in source.statements),
        importable(folder),
        contextlib.chdir(folder) if folder else contextlib.nullcontext(),
    ):
        yield


def _refuse(source: Source, runner: Runner, part: Part, timeout: float | None) -> None:
    where = source.path
    if runner.timed_out is not None:
        what = f"stopped after the time limit of {timeout:g} s"
        more = "Give --timeout more seconds, or the name of the loss with --of NAME."
        raise DeriveError(what, where=_at(where, runner.timed_out.place), next_step=more)
    if source.faults:
        fault = source.faults[0]
        raise DeriveError(fault.message, where=_at(where, fault.place), next_step="Mend this line first.")
    if runner.errors:
        error = runner.errors[0]
        advice = NO_FILE if error.message.startswith("FileNotFoundError") else RAISED
        raise DeriveError(error.message, where=_at(where, error.place), next_step=advice)
    if part.lines is not None:
        raise DeriveError("no statement that makes a float begins in these lines", where=where)
    if part.goal is not None:
        raise DeriveError(f"no float tensor called {part.goal!r} is made", where=where)
    plain = [name for one in runner.ran for name, value in one.held.items() if type(value) is float]
    raise DeriveError(
        "no loss was found",
        where=where,
        got=f"{plain[-1]}, a plain number of Python" if plain else None,
        expected="a tensor of floats with one element",
        next_step="Begin with tensors, as torch.tensor(2.0)." if plain else "Give its name with --of NAME.",
    )


def _at(path: Path | None, place: Place) -> str:
    return f"{path}, {place}" if path else str(place)
