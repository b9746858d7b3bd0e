"""Say what an edit, or a line to add, does: a diagnosis in one sentence, with the line as it should be."""

import ast
from collections.abc import Collection
from dataclasses import replace

from torch import Tensor

from handgrad.checker.explain.messages import MESSAGES
from handgrad.checker.explain.readable import is_readable
from handgrad.checker.explain.rewrite import edited_text, shown, text_with_both
from handgrad.checker.explain.trials import Change
from handgrad.checker.guard import said
from handgrad.checker.judge.blame import Judgement
from handgrad.checker.read.names import uses
from handgrad.checker.read.source import Statement, around
from handgrad.checker.read.trees import Edit
from handgrad.checker.report import Diagnosis
from handgrad.checker.run.trace import Step
from handgrad.checker.truth.cases import Outcome


class Telling:
    """The diagnoses of one chain; `outcome` is what its lines make as they stand."""

    def __init__(self, judgement: Judgement, outcome: Outcome):  # noqa: D107
        self.judgement, self.chain, self.outcome = judgement, judgement.chain, outcome
        self.place = self.chain.last.statement.place

    def of(self, edit: Edit, step: Step) -> Diagnosis:
        """The diagnosis that an edit is."""
        simple, statement = edit.statement, step.statement
        place = statement.place.at(simple.lineno)
        fix = edited_text(statement.code, simple, edit, statement.spelled) if statement.role != "argument" else None
        kept = around(statement.code, simple)
        end = simple.end_lineno or simple.lineno
        told = self.worded(self._told(edit, statement))
        return Diagnosis(self._kind(edit), told, fix, place, simple.lineno, end, kept)

    def of_both(self, first: Change, second: Change) -> list[Diagnosis]:
        """Two edits that are needed together; where they are of one statement, the first shows it with both."""
        found = [self.of(*change) for change in (first, second)]
        if first[0].statement is second[0].statement:
            statement = first[1].statement
            fix = text_with_both(statement.code, first[0], second[0], statement.spelled)
            found = [replace(found[0], fix=fix), replace(found[1], fix=None)]
        found.sort(key=lambda d: (d.fix is None, d.start))
        found[1] = replace(found[1], message=f"and besides: {found[1].message}")
        return found

    def of_added(self, kind: str, message: str, line: str | None, gradients: Collection[str]) -> Diagnosis:
        """The diagnosis where a line has to be added that may use other `gradients`; None where none was found."""
        if line is None or not is_readable(line, self.chain.last.statement.text):
            return Diagnosis(kind, self.worded(message), place=self.place)
        after = self._after(line, gradients)
        message = f"{message}; add a line after line {after}" if after != self.place.line else f"{message}; add a line"
        return Diagnosis(kind, self.worded(message), line, self.place, after + 1, after)

    def worded(self, message: str) -> str:
        """A sentence of what is wrong."""
        got = self.outcome.got
        if self.judgement.fault == "masked":
            return f"invisible here, wrong in general: {message}."
        if isinstance(got, Tensor) and not got.is_floating_point():
            message = f"the dtype is {str(got.dtype).removeprefix('torch.')}, not a float one; {message}"
        if self.outcome.error is not None:
            return f"{said(self.outcome.error)} ({message})."
        return f"{message}."

    def _kind(self, edit: Edit) -> str:
        of_shape = ("wrong-dim", "extra-sum", "missing-sum", "missing-factor", "missing-term")
        return "shape" if self.judgement.fault == "shape" and edit.kind in of_shape else edit.kind

    def _told(self, edit: Edit, statement: Statement) -> str:
        kind = self._kind(edit)
        message = MESSAGES[kind] if kind != "unknown" else "it is not what follows from the forward pass"
        if isinstance(edit.new, ast.Pass):
            return f"{message}: leave this line out"
        old, new = (statement.spelled(shown(node)) for node in (edit.old, edit.new))
        return f"{message}: {new} in place of {old}" if len(old) + len(new) < 90 else message

    def _after(self, line: str, gradients: Collection[str]) -> int:
        """The last line that has to have run before the added one can."""
        reads = uses(ast.parse(line)).reads & set(gradients)
        steps = [s for s in self.chain.region.steps if set(s.gradients) & reads] + [self.chain.last]
        return max(s.statement.node.end_lineno or 0 for s in steps if s.statement.place.cell == self.place.cell)
