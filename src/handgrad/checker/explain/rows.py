"""From the judgements of one region to the rows and hazards of the report."""

import ast
import functools
from dataclasses import replace

from torch import Tensor

from handgrad.checker.explain.diagnose import diagnose, shared_repair
from handgrad.checker.explain.hazards import stale_hazard
from handgrad.checker.explain.loops import narrowed, suspects
from handgrad.checker.explain.residual import Residuals
from handgrad.checker.explain.spelled import in_the_users_words, say, statement_at
from handgrad.checker.explain.spoiled import spoiled
from handgrad.checker.judge.blame import Judgement, rounding
from handgrad.checker.judge.interpretation import Interpretation
from handgrad.checker.judge.judging import about
from handgrad.checker.judge.notes import losses_of, notes
from handgrad.checker.read.names import variables_of
from handgrad.checker.read.source import Statement
from handgrad.checker.read.spelling import DOT, number_of
from handgrad.checker.report import Diagnosis, Hazard, LeftOver, VariableReport
from handgrad.checker.run.trace import Step, Trace
from handgrad.checker.truth.chains import Chain
from handgrad.checker.truth.compare import PRECISIONS, Comparison, agrees_only, as_tensor, compare, precisions_of
from handgrad.checker.truth.passes import Value


class Rows:
    """The rows and hazards of one region."""

    def __init__(self, trace: Trace, judging: Interpretation, explained: set[tuple]):
        """Explain every line at fault but those in `explained`, which were found wrong in an earlier training step."""
        self.trace, self.judging = trace, judging
        self.judge, self.region = judging.judge, judging.region
        self.judged = [(judgement.chain, judgement) for judgement in judging.judgements]
        self.notes, self.written = list(judging.notes), set(judging.written)
        self.rows: list[VariableReport] = []
        self.hazards: list[Hazard] = []
        self.loss: float | None = None
        self.unsound: set[str] = set()
        self.in_vain: dict[tuple[Step | ast.stmt, ...], list[Diagnosis]] = {}
        self.residuals = Residuals(self.judge)
        if judging.unfit is not None:
            self.notes.append(judging.unfit)
            return
        for hazard, statement in spoiled(judging):
            self._warn_of(hazard, statement)
        self.found = {
            chain: self._diagnosed(chain, j) for chain, j in self.judged if j.fault and self._is_new(chain, explained)
        }
        self.judged = [(chain, self._not_doubted(chain, judgement)) for chain, judgement in self.judged]
        self._explain_by_what_is_shared()
        for chain, judgement in self.judged:
            if self._is_new(chain, explained):
                with about(chain):
                    row = self._row(chain, judgement)
                if row.verdict in ("wrong", "missing", "masked"):
                    self.unsound.add(chain.name)
                if not self._is_shown_already(chain, row):
                    self.rows.append(row)
                self.written |= {row.name, *self.judging.value_of(chain).names}
                if any(step.turns for step in judgement.plan.steps):
                    self.written |= self.judge.truth.between(judgement.plan)
            elif judgement.fault:
                self.unsound.add(chain.name)
        mended = {(one.place, one.start) for row in self.rows for one in row.diagnosis if one.fix}
        self.hazards = [h for h in self.hazards if not (h.repair and (h.repair.place, h.repair.start) in mended)]
        self._list_missing()
        self.notes += notes(trace, judging)
        losses = losses_of(trace, judging)
        self.loss = float(losses[0].data) if losses else None

    def _row(self, chain: Chain, judgement: Judgement) -> VariableReport:
        reference = judgement.want if judgement.true is None else judgement.true
        actual = as_tensor(chain.actual, reference)
        found = compare(actual, reference) if actual is not None else Comparison(False, False, False, False, None, None)
        found = replace(found, approximate=actual is not None and _is_near(actual, found, judgement, reference))
        row = VariableReport(
            self._called(chain),
            self.trace.shown(chain.name),
            list(reference.shape),
            chain.last.statement.place,
            self._verdict(chain, judgement, found, actual),
            found.exact and found.same_shape,
            found.approximate,
            found.maxdiff,
            found.relative_error,
            text=chain.last.statement.text,
            chain_place=chain.last.statement.place,
            tensors=(actual, reference),
        )
        if judgement.fault:
            row.cause = "own"
            found = self.found[chain]
            found = [replace(found[0], left_over=self._left_over(chain, judgement)), *found[1:]]
            statements = [statement_at(self.trace, chain, one.place) for one in found]
            row.diagnosis = [in_the_users_words(self.trace, *pair) for pair in zip(found, statements, strict=True)]
            row.place, row.text = found[0].place or row.place, statements[0].text
            if any(self._is_one_mistake(row, other) for other in self.rows):
                row.cause, row.diagnosis = "inherited", []
        elif row.verdict in ("wrong", "shape", "missing"):
            row.cause = "inherited"
        row.proof = functools.partial(self.residuals.proven, judgement)
        if self.judge.truth.is_large and row.proven is not None:  # found at once, so that what it needs is let go
            row.proof = None
        return row

    def _not_doubted(self, chain: Chain, judgement: Judgement) -> Judgement:
        """The judgement; of a fault in doubt, where no edit mends it, that the line is right."""
        mended = any(one.fix is not None for one in self.found.get(chain, ()))
        return judgement if mended or not judgement.doubtful else replace(judgement, fault=None)

    def _left_over(self, chain: Chain, judgement: Judgement) -> LeftOver | None:
        with about(chain):
            return self.residuals.left_over(judgement)

    def _diagnosed(self, chain: Chain, judgement: Judgement) -> list[Diagnosis]:
        """Why the chain is at fault; what was searched for in vain in the same lines of a loop is searched for once."""
        suspected = suspects(chain, self.judged)
        place = (chain.last, *suspected)
        if not (suspected and place in self.in_vain):
            with about(chain):
                found = diagnose(self.judge, judgement, suspected, [other for _, other in self.judged])
                found = [narrowed(one, chain, suspected) for one in found]
            if found[0].kind != "unknown":
                return found
            self.in_vain[place] = found
        return self.in_vain[place]

    def _is_new(self, chain: Chain, explained: set[tuple]) -> bool:
        return (self.trace.shown(chain.name), chain.last.statement.place) not in explained

    def _explain_by_what_is_shared(self) -> None:
        """Where an edit of a temporary mends one gradient and another that uses it, it explains both."""
        for chain, judgement in self.judged:
            if chain in self.found and (shared := shared_repair(self.judge, judgement)) is not None:
                self.found[chain] = [shared]

    def _is_one_mistake(self, row: VariableReport, other: VariableReport) -> bool:
        """Whether the line that makes another gradient wrong makes this one wrong too."""
        if other.cause != "own" or row.place != other.place:
            return False
        mine, known = ([(d.fix, d.kind) for d in one.diagnosis] for one in (row, other))
        again = row.name != other.name and all(d.fix is not None for d in row.diagnosis)
        elsewhere = row.gradient != other.gradient and row.place != row.chain_place
        return (again or elsewhere) and mine == known and (None, "missing") not in mine

    def _is_shown_already(self, chain: Chain, row: VariableReport) -> bool:
        """Whether what comes out of a function, or goes into one, has a row of its own."""
        if row.cause == "own":
            return False
        local = number_of(chain.name) is not None
        for other in self._gradients_of(self.judging.value_of(chain)):
            same = self.trace.shown(other.name) == row.gradient
            if (number_of(other.name) is not None) != local and local != same:
                return True
        return False

    def _gradients_of(self, value: Value) -> list[Chain]:
        return [chain for chain, _ in self.judged if self.judging.value_of(chain) is value]

    def _called(self, chain: Chain) -> str:
        """The variable as the user calls it; where a function calls it otherwise, as it is called outside."""
        if number_of(chain.variable) is not None:
            value = self.judging.value_of(chain)
            outside = [other.variable for other in self._gradients_of(value)] + list(value.names)
            return next((name for name in outside if DOT not in name), self.trace.shown(chain.variable))
        return self.trace.shown(chain.variable)

    def _verdict(self, chain: Chain, judgement: Judgement, found: Comparison, actual: Tensor | None) -> str:
        if judgement.fault:
            return judgement.fault
        if actual is None or any(step.error for step in chain.steps):
            return "missing"
        if found.exact and found.same_shape:
            return "exact"
        near = found.approximate
        if not near and self._explained(chain, judgement):
            return "wrong"
        if not found.same_shape and actual.numel() != 1:
            return "shape"
        if not near:
            name, place = self.trace.shown(chain.name), chain.last.statement.place
            self.notes.append(
                f"{name} ({place}) is wrong, though its line is right when it is run again: what it uses comes out "
                "differently then, or was changed in place where that is not seen."
            )
            return "wrong"
        self.notes += agrees_only(self.trace.shown(chain.name), found.relative_error, actual.dtype, _text(judgement))
        return "close"

    def _explained(self, chain: Chain, judgement: Judgement) -> bool:
        """Whether something upstream, or a hazard, accounts for a difference the line itself does not make."""
        if self.hazards or judgement.plan.gradients & self.unsound:
            return True
        for name in sorted(judgement.plan.gradients):
            if (later := self._finished_after(name, chain)) is not None:
                self._warn_of(stale_hazard(chain, name, later), chain.last.statement)
                return True
        return False

    def _finished_after(self, name: str, chain: Chain) -> Step | None:
        """The statement that still changes a gradient after the chain has read it."""
        reading = (
            max(s.index for s in chain.steps if name in s.reads) if any(name in s.reads for s in chain.steps) else 0
        )
        found = [c for c, _ in self.judged if c.name == name and c.steps[0].index < reading]
        writing = found[-1].steps if found else []
        if writing and writing[0].index < reading < writing[-1].index:
            return writing[-1]
        return None

    def _warn_of(self, hazard: Hazard, statement: Statement) -> None:
        """Keep a hazard in the user's words."""
        repair = hazard.repair and in_the_users_words(self.trace, hazard.repair, statement)
        about, variable = tuple(map(say(self.trace, statement), hazard.about)), self.trace.shown(hazard.variable)
        self.hazards.append(replace(hazard, variable=variable, about=about, repair=repair))

    def _list_missing(self) -> None:
        forward = self.judge.truth.forward
        losses = self.judge.truth.losses(forward)
        if not losses:
            return
        loss = next(iter(losses))
        given = {variable for v in forward.values if v.root for name in v.names for variable in variables_of(name)}
        for value in reversed(forward.values):
            names = value.names.keys() | {self.trace.shown(name) for name in value.names}
            if (
                value in self.judge.truth.sweep(forward, loss)
                and not names & (self.written | given)
                and value is not loss
            ):
                real = self.trace.machine.namespace.get(value.name)
                if value.root and not (isinstance(real, Tensor) and real.requires_grad):
                    continue
                self.written |= names
                outside = [n for n in value.names if number_of(n) is None]
                if not outside:  # a step inside a function, which needs no name of its own
                    continue
                name = self.trace.shown(outside[0])
                self.rows.append(VariableReport(name, f"d{name}", list(value.leaf.shape), None, "missing"))


def _text(judgement: Judgement) -> str:
    """The lines that a gradient is made by."""
    return "\n".join(step.statement.text for step in judgement.plan.steps)


def _is_near(actual: Tensor, found: Comparison, judgement: Judgement, reference: Tensor) -> bool:
    """Whether a gradient differs from its reference by rounding alone; a sum of large parts may be zero but for it."""
    if found.exact or found.relative_error is None:
        return found.exact
    casts = [PRECISIONS[name] for name in precisions_of(_text(judgement))]
    if found.relative_error <= max([rounding(actual, reference), *(2 * apart for apart in casts)]):
        return True
    slack = judgement.cases[0].slack if judgement.cases else 0.0
    size = float(reference.abs().max()) if reference.numel() else 0.0
    return found.relative_error * size <= slack
