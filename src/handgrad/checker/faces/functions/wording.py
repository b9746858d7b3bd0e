"""A report on a laid out pair, in the words of its two functions."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from handgrad.checker.faces.functions.given import Input
from handgrad.checker.faces.functions.halves import SYNTHETIC, Half
from handgrad.checker.read.source import exchanged
from handgrad.checker.read.spelling import bare
from handgrad.checker.report import Diagnosis, Report, VariableReport


@dataclass(frozen=True)
class Wording:
    """What a report on the statements is to be turned into.

    `words` are the user's for the names that stand in for them, `gradients` the names of the inputs' gradients, and
    `upstreams` those of the outputs'; `ran` is the backward function as it was run.
    """

    words: dict[str, str]
    gradients: dict[Input, str]
    upstreams: set[str]
    ran: Half

    def __call__(self, report: Report) -> Report:
        """The report in the user's words, with one row for each input, and none for the names of the checker's own."""
        report.notes = list(map(self.spelled, report.notes))
        report.faults = list(map(self.spelled, report.faults))
        report.variables = [row for row in report.variables if not self._is_internal(row)]
        for row in report.variables:
            self._reword(row)
        report.variables = list(self._once_each(report.variables))
        self._reword_hazards(report)
        return report

    def spelled(self, text: str) -> str:
        """The text with the user's words."""
        for ours, theirs in self.words.items():
            text = exchanged(text, bare(ours), theirs)
        return text

    def _is_internal(self, row: VariableReport) -> bool:
        synthetic = row.chain_place is not None and row.chain_place.file == SYNTHETIC
        handed_over = synthetic and row.gradient not in self.gradients.values()
        return handed_over or "handgrad_" in row.name + row.gradient

    def _once_each(self, rows: list[VariableReport]) -> Iterator[VariableReport]:
        """Of an input, whose gradient may have two names, that at fault, or the last."""
        inputs = {one.text for one in self.gradients}
        last = {row.name: row for row in rows}
        blamed = {row.name for row in rows if row.cause == "own"}
        for row in rows:
            if row.name not in inputs:
                if row.verdict != "missing" or row.cause:
                    yield row
            elif row.cause == "own" or (row is last[row.name] and row.name not in blamed):
                yield row

    def _reword(self, row: VariableReport) -> None:
        row.gradient, row.name = self.spelled(row.gradient), self.spelled(row.name)
        if row.place is not None and row.place.file == SYNTHETIC:
            row.place = self.ran.place if self.ran.place.line else None
            row.text = self.ran.text or f"the returned gradient of {row.name}"
        row.diagnosis = [_told_apart(one) for one in row.diagnosis]
        if row.cause == "own" and row.verdict != "missing" and row.tensors and not bool(row.tensors[1].any()):
            row.diagnosis = [Diagnosis("unknown", fact="flat")]

    def _reword_hazards(self, report: Report) -> None:
        """Leave out that an upstream gradient is changed where that does no harm."""
        if all(row.cause is None for row in report.variables):
            report.hazards = [h for h in report.hazards if h.variable not in self.upstreams]
        for i, hazard in enumerate(report.hazards):
            at_hand = hazard.repair is not None and hazard.repair.place is not None and hazard.repair.place.line
            about = tuple(bare(self.spelled(text)).replace(" in line 0", "") for text in hazard.about)
            variable, repair = bare(self.spelled(hazard.variable)), hazard.repair if at_hand else None
            report.hazards[i] = replace(hazard, variable=variable, about=about, repair=repair)


def _told_apart(found: Diagnosis) -> Diagnosis:
    """A value that the forward function has under the name of another in the backward one."""
    if found.old and found.old == found.new:
        return replace(found, fact="not kept", about=(found.old,), fix=None)
    return found
