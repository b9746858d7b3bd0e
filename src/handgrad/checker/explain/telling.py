"""The diagnosis that an edit, or a line to add, is: what is written, what it should be, and the line with it."""

import ast
from collections.abc import Collection
from dataclasses import replace

from torch import Tensor

from handgrad.checker.explain.readable import is_readable
from handgrad.checker.explain.rewrite import Written
from handgrad.checker.explain.trials import Change
from handgrad.checker.guard import said
from handgrad.checker.judge.blame import Judgement
from handgrad.checker.read.names import uses
from handgrad.checker.read.source import around
from handgrad.checker.read.trees import Edit
from handgrad.checker.report import Diagnosis
from handgrad.checker.run.trace import Step
from handgrad.checker.truth.cases import Outcome


class Telling:
    """The diagnoses of one chain; `outcome` is what its lines make as they stand."""

    def __init__(self, judgement: Judgement, outcome: Outcome, closed: frozenset[str]):  # noqa: D107
        self.closed = closed
        self.judgement, self.chain, self.outcome = judgement, judgement.chain, outcome
        self.place = self.chain.last.statement.place

    def of(self, edit: Edit, step: Step) -> Diagnosis:
        """The diagnosis that an edit is."""
        simple, statement = edit.statement, step.statement
        place = statement.place.at(simple.lineno)
        written = Written(statement.code, simple, statement.spelled)
        (old, new), fix = written.parts(edit), written.fix(edit) if statement.role != "argument" else None
        kept, end = around(statement.code, simple), simple.end_lineno or simple.lineno
        found = Diagnosis(self._kind(edit), place, old, new, "", (), fix, simple.lineno, end, kept)
        return self.told(replace(found, kept=tuple(sorted(edit.names & self.closed - step.reads))))

    def of_both(self, first: Change, second: Change) -> list[Diagnosis]:
        """Two edits that are needed together; where they are of one statement, the first shows it with both."""
        found = [self.of(*change) for change in (first, second)]
        if first[0].statement is second[0].statement:
            statement = first[1].statement
            fix = Written(statement.code, first[0].statement, statement.spelled).fix(first[0], second[0])
            found = [replace(found[0], fix=fix), replace(found[1], fix=None)]
        found.sort(key=lambda d: (d.fix is None, d.start))
        found[1] = replace(found[1], besides=True)
        return found

    def of_added(self, found: Diagnosis, line: str | None, gradients: Collection[str]) -> Diagnosis:
        """The diagnosis where a line has to be added that may use other `gradients`; None where none was found."""
        found = self.told(replace(found, place=self.place))
        if line is None or not is_readable(line, self.chain.last.statement.text):
            return found
        after = self._after(line, gradients)
        return replace(found, fix=line, start=after + 1, end=after)

    def told(self, found: Diagnosis) -> Diagnosis:
        """A diagnosis, with what the line raises, and whether the program hides the mistake."""
        got, error = self.outcome.got, self.outcome.error
        if self.judgement.fault == "masked":
            return replace(found, masked=True)
        dtype = str(got.dtype).removeprefix("torch.") if isinstance(got, Tensor) and not got.is_floating_point() else ""
        return replace(found, dtype=dtype, raised=said(error) if error is not None else "")

    def _kind(self, edit: Edit) -> str:
        of_shape = ("wrong-dim", "extra-sum", "missing-sum", "missing-factor", "missing-term", "extra-factor")
        return "shape" if self.judgement.fault == "shape" and edit.kind in of_shape else edit.kind

    def _after(self, line: str, gradients: Collection[str]) -> int:
        """The last line that has to have run before the added one can."""
        reads = uses(ast.parse(line)).reads & set(gradients)
        steps = [s for s in self.chain.region.steps if set(s.gradients) & reads] + [self.chain.last]
        return max(s.statement.node.end_lineno or 0 for s in steps if s.statement.place.cell == self.place.cell)
