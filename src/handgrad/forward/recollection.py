"""Go through the cells that a notebook has run already, without running them again."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from handgrad.checker.read.names import uses
from handgrad.checker.read.source import Source, Statement
from handgrad.checker.run.machine import Machine
from handgrad.errors import DeriveError
from handgrad.forward.goal import Goal
from handgrad.forward.program import Forward, Part, forward_of_run, goal_of
from handgrad.forward.ran import Ran
from handgrad.forward.running import Done, Runner, bound_to_item


def forward_of_cells(cells: Sequence[Source], namespace: dict[str, Any], part: Part) -> Forward:
    """The forward pass that the cells of a notebook have run last.

    Args:
        cells: the cells in the order in which they ran.
        namespace: what the names of the notebook stand for now.
        part: which part of it is meant.

    Raises:
        DeriveError: no loss was computed in any of them.
    """
    machine = Machine(None)
    machine.namespace = namespace
    whole = Source(None, [statement for cell in cells for statement in cell.statements])
    goal = goal_of(whole, machine, part)
    for number in range(len(cells) - 1, -1, -1):
        recalled = _Recollection(machine, goal)
        recalled.run(cells[number].statements)
        if recalled.end is not None:
            before = _Recollection(machine, _Never(goal))
            for cell in cells[:number]:
                before.run(cell.statements)
            recalled.ran = [*before.ran, *recalled.ran]
            return forward_of_run(whole, recalled, part)
    raise DeriveError(
        f"no float tensor called {part.goal!r} is made" if part.goal else "no cell that was run computes a loss",
        next_step="Run the cell with the forward pass, or give the name of its end with --of NAME.",
    )


class _Recollection(Runner):
    """Statements that have run; what they made is what there is now."""

    def _do(self, statement: Statement) -> Done:
        found = uses(statement.node)
        return Done(found.binds, found.changes)

    @contextlib.contextmanager
    def _contexts(self, statement: Statement) -> Iterator[None]:
        del statement  # its contexts are gone
        yield

    def _rounds(self, statement: Statement) -> Iterator[None]:
        if hasattr(statement.node, "target"):
            ran = self._step(bound_to_item(statement), uses(statement.node.iter).reads, enters=True)
            self.ran += [ran] if ran else []
        yield

    def _enter(self, statement: Statement, rest: Sequence[Statement]) -> bool:
        return self._reaches(self._step(statement), rest)


class _Never:
    """A goal that goes into the same blocks as another one, and is not reached."""

    def __init__(self, goal: Goal):
        self.losses, self.is_inside, self.is_in = goal.losses, goal.is_inside, goal.is_in
        self.others = goal.others

    def is_reached(self, ran: Ran, rest: Sequence[Statement]) -> None:
        pass
