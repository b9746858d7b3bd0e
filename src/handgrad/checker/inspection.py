"""From a program to a report: trace it, judge every gradient, and explain the lines at fault."""

import ast
import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from handgrad.checker.assumptions import Assumptions
from handgrad.checker.blame import ROUNDING, Judge, Judgement, rounding, was_right
from handgrad.checker.chains import Chain, chains_of
from handgrad.checker.compare import Comparison, agrees, as_tensor, compare
from handgrad.checker.diagnose import diagnose
from handgrad.checker.edits import simple_statements
from handgrad.checker.flat.spelling import DOT, number_of
from handgrad.checker.hazards import in_place_hazard, shadow_hazard, stale_hazard
from handgrad.checker.local_modules import importable
from handgrad.checker.loops import narrowed
from handgrad.checker.machine import Machine, Randomness, TimeIsUp, UserError, deep_enough, time_limit
from handgrad.checker.names import variables_of
from handgrad.checker.numbers import constant_ratio
from handgrad.checker.readings import Judged, believe_the_run, reread
from handgrad.checker.reference import Value
from handgrad.checker.report import Diagnosis, Hazard, Report, VariableReport
from handgrad.checker.source import Place, Source, Statement, read_source, segment
from handgrad.checker.trace import Region, Step, Trace
from handgrad.checker.tracer import Tracer
from handgrad.checker.values import storage_of
from handgrad.errors import HandgradError


class CheckError(HandgradError):
    """A program in which there is nothing to check."""


def check_file(
    path: Path, *, loss: str | None = None, data: Path | None = None, timeout: float | None = 60.0, strict: bool = False
) -> Report:
    """Check every gradient that a script or notebook computes by hand.

    Args:
        path: a `.py` or `.ipynb` file in the lecture's manner.
        loss: the name of the scalar loss, where it is not clear.
        data: a folder with files the program reads.
        timeout: seconds the user's code may take.
        strict: gradients that were not written, and shapes that only broadcast, are faults too.

    Raises:
        SourceError: the file cannot be read.
        CheckError: no loss, no gradient, or an exception before the first gradient.
    """
    path = Path(path).resolve()
    source = read_source(path)
    machine = Machine(path.parent, Path(data).resolve() if data else None)
    return check_source(source, machine, loss=loss, timeout=timeout, strict=strict)


def check_source(
    source: Source, machine: Machine, *, loss: str | None = None, timeout: float | None = None, strict: bool = False
) -> Report:
    """Check a program that has been read; see `check_file`."""
    where = source.path
    tree = (s.node for s in source.statements)
    with _undisturbed(), deep_enough(tree), importable(where.parent if where else None):
        with time_limit(timeout):
            trace = Tracer(source, machine, loss).run()
        inspected: list[_Inspection] = []
        for region in trace.regions:
            if any(s.backward for s in region.steps):
                inspected.append(_Inspection(trace, region, inspected[-1] if inspected else None))
        report = Report(None, strict=strict, file=str(where) if where else None)
        try:
            with time_limit(timeout), torch.inference_mode(False), torch.enable_grad():
                for one in inspected:
                    one.run({(row.gradient, row.chain_place) for row in report.blamed})
                    _merge(report, one)
        except TimeIsUp:
            report.notes.append(f"Judging stopped after {timeout:g} s; give --timeout more seconds.")
    report.notes += trace.notes
    report.faults = [f"{f.place}: {f.message}; the line was left out." for f in source.faults]
    report.faults += [f"{e.place}: {trace.shown(e.message)}{_advice(e)}" for e in trace.stops]
    if trace.timed_out:
        cut = report.faults if any(variables_of(n) for n in trace.unfinished) else report.notes
        cut.append(f"{trace.timed_out.place}: stopped after {timeout:g} s; what comes later was not run (--timeout).")
    shown = {row.place for row in report.blamed}
    report.notes += [f"{e.place}: {trace.shown(e.message)}{_advice(e)}" for e in trace.errors if e.place not in shown]
    if not any(row.place for row in report.variables):
        _explain_nothing(source, trace, report, loss)
    return report


@contextlib.contextmanager
def _undisturbed():
    """The user's warnings are silent, and the random generators are afterwards where they were."""
    before, grad, dtype = Randomness.now({}), torch.is_grad_enabled(), torch.get_default_dtype()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            before.restore({})
            torch.set_grad_enabled(grad)
            torch.set_default_dtype(dtype)


def _advice(error: UserError) -> str:
    return " (--data FOLDER names a folder with the file)" if error.message.startswith("FileNotFoundError") else ""


def _where(source: Source, place: Place) -> str:
    """The file, where there is one, and the place in it."""
    file = source.path or (None if place.file.startswith("<") else place.file)
    return f"{file}, {place}" if file else str(place)


def _explain_nothing(source: Source, trace: Trace, report: Report, loss: str | None) -> None:
    where = source.path
    if unfit := [note for note in report.notes if note.startswith("the loss is")]:
        raise CheckError(unfit[0].rstrip("."), where=where, next_step="Mend the forward pass first.")
    if source.faults and not trace.losses:
        fault = source.faults[0]
        raise CheckError(fault.message, where=_where(source, fault.place), next_step="Mend this line first.")
    if trace.timed_out and not trace.losses:
        raise CheckError(
            "stopped after the time limit",
            where=_where(source, trace.timed_out.place),
            next_step="Shorten the loop, or raise --timeout.",
        )
    if trace.stops or trace.errors:
        error = (trace.stops + trace.errors)[0]
        raise CheckError(
            f"{trace.shown(error.message)}{_advice(error)}",
            where=_where(source, error.place),
            next_step="This is raised by the program itself.",
        )
    if not trace.losses:
        raise CheckError(
            f"no loss called {loss!r}" if loss else "no scalar loss was found",
            where=where,
            expected="a float tensor with one element",
            next_step="Give its name with --loss NAME.",
        )
    raise CheckError(
        f"no gradients were found after the loss {trace.losses[-1]!r}",
        where=where,
        expected="lines such as 'dlogits = ...' for a variable 'logits' of the forward pass",
        next_step="Write the gradient of NAME as dNAME.",
    )


class _Inspection:
    """The rows and hazards of one region."""

    def __init__(self, trace: Trace, region: Region, before: "_Inspection | None"):
        self.trace, self.region, self.before = trace, region, before
        self.rows: list[VariableReport] = []
        self.hazards: list[Hazard] = []
        self.notes: list[str] = []
        self.loss: float | None = None
        self.written: set[str] = set()

    def _not_finite(self) -> str | None:
        """A sentence where the loss is not a finite number, so that nothing can be judged."""
        losses = self.judge.truth.losses(self.judge.truth.own)
        if not losses or any(bool(torch.isfinite(v.data).all()) for v in losses):
            return None
        within = self.judge.truth.own.values
        first = next((v for v in within if v.leaf.numel() and not bool(torch.isfinite(v.data).all())), losses[0])
        where = f" in {first.step.statement.place}" if first.step else ""
        return (
            f"the loss is {float(losses[0].data)}, so no gradient can be judged; "
            f"{first.name}{where} is the first value with a NaN or an infinity (inf)."
        )

    def run(self, explained: set[tuple]) -> None:
        """Judge every chain; those in `explained` were found wrong in an earlier training step."""
        as_traced = self.region
        judged = self._judged(as_traced, Assumptions())
        if (unfit := self._not_finite()) is not None:
            self.notes.append(unfit)
            return
        if any(judgement.fault for _, judgement in judged):
            for other in self._other_assumptions():
                best = self.judge, self.region, self.notes, self.written, judged
                judged = self._judged(as_traced, other)
                if _faults(judged) >= _faults(best[-1]):
                    self.judge, self.region, self.notes, self.written, judged = best
        self._find_hazards(judged)
        self.unsound: set[str] = set()
        self.judged = judged
        for chain, judgement in judged:
            if (self.trace.shown(chain.name), chain.last.statement.place) not in explained:
                row = self._row(chain, judgement)
                if row.verdict in ("wrong", "missing", "masked"):
                    self.unsound.add(chain.name)
                if not self._is_shown_already(chain, row):
                    self.rows.append(row)
                self.written |= {row.name, *self.judge.truth.located(chain)[1].names}
                if any(step.turns for step in judgement.plan.steps):
                    self.written |= self.judge.truth.between(judgement.plan)
            elif judgement.fault:
                self.unsound.add(chain.name)
        self._list_missing()
        self._name_the_loss([chain for chain, _ in judged])
        self._name_the_functions()

    def _judged(self, region: Region, assumptions: Assumptions) -> Judged:
        """The judgements of all chains of the region, under some assumptions."""
        self.region = replace(
            region, steps=[replace(s, gradients=dict(s.gradients), turns=set(s.turns)) for s in region.steps]
        )
        self.notes, self.written = [], set()
        self.judge = Judge(self.trace, self.region, assumptions)
        if self._not_finite() is not None:
            return []
        if self.before is not None:
            self.region.begun = self.judge.truth.unmoved_since(self.before.judge.truth)
        chains = [c for c in chains_of(self.region) if c.name not in self.trace.unfinished]
        judged = [(chain, j) for chain in chains if (j := self.judge.judge(chain)) is not None]
        judged = reread(self.judge, judged)
        judged = self._without_multiples(self._without_intermediates(judged, local=True))
        judged = self._without_intermediates(judged, local=False)
        believe_the_run(judged)
        self.judge.acquitted = {s for _, j in judged if j.fault is None for s in j.plan.steps if s.turns}
        return self._trust_what_was_right(judged)

    def _other_assumptions(self) -> Iterator[Assumptions]:
        """What may be true besides, as far as it makes a difference in this program."""
        truth = self.judge.truth
        if truth.wholes:
            yield Assumptions(wholes=False)
        if truth.forward.functions:
            yield Assumptions(derived=False)

    def _without_intermediates(self, judged: Judged, local: bool) -> Judged:
        """Leave out what is only computed with: not the gradient it is spelled like, but what comes of it is right.

        Such is in a function what it returns as `dlogits / n`; of a name outside of functions a note tells.
        """
        for chain, judgement in judged:
            if (number_of(chain.name) is not None) != local or judgement.fault not in ("wrong", "masked"):
                continue
            readers = {other: old for other, old in judged if chain.name in self.judge.truth.plan(other).gradients}
            before = [(s, s.gradients, s.tainted) for s in self.region.steps if chain.name in s.gradients]
            for step, gradients, _ in before:
                step.gradients = {n: v for n, v in gradients.items() if n != chain.name}
                step.tainted = True
            again = {reader: self.judge.judge(reader) or old for reader, old in readers.items()}
            right = [reader for reader, new in again.items() if new.fault is None]
            if local:
                explains = right and all(reader in right or old.fault for reader, old in readers.items())
            else:
                explains = len(right) == len(readers) and any(old.fault for old in readers.values())
            if explains:
                if not local:
                    name, variable = self.trace.shown(chain.name), self.trace.shown(chain.variable)
                    self.notes.append(
                        f"{name} is not the gradient of {variable}; lines that use it are judged with it."
                    )
                kept = [(other, again.get(other, old)) for other, old in judged if other is not chain]
                return self._without_intermediates(kept, local)
            for step, gradients, tainted in before:
                step.gradients, step.tainted = gradients, tainted
        return judged

    def _without_multiples(self, judged: list[tuple[Chain, Judgement]]) -> list[tuple[Chain, Judgement]]:
        """Leave out what is a multiple of the gradient it is spelled like, where the lines that use it make up for it.

        As in `dZ = A - Y`, and then `dW = 1 / m * dZ @ X.T`.
        """
        if not any(judgement.fault for _, judgement in judged):
            return judged
        plans = [self.judge.truth.plan(chain) for chain, _ in judged]
        read = [c for c, _ in judged if any(c.name in p.gradients and c.last not in p.chain.steps for p in plans)]
        multiples = {chain: r for chain, j in judged if chain in read and (r := _ratio(chain, j)) is not None}
        if not multiples:
            return judged
        before = [(step, step.gradients, step.tainted) for chain in multiples for step in chain.steps]
        names = {chain.name for chain in multiples}
        for step, gradients, _ in before:
            step.gradients, step.tainted = {n: v for n, v in gradients.items() if n not in names}, True
        kept = [chain for chain, _ in judged if chain not in multiples]
        again = [(chain, j) for chain in kept if (j := self.judge.judge(chain)) is not None]
        faulty = {chain for chain, j in judged if j.fault}
        made_right = [chain for chain, j in again if chain in faulty and not j.fault]
        made_wrong = [chain for chain, j in again if chain not in faulty and j.fault]
        if len(again) == len(kept) and len(made_right) > len(made_wrong):
            for chain, ratio in multiples.items():
                self.written |= {n for v in self.judge.truth.forward.versions(chain.variable) for n in v.names}
                name, variable = self.trace.shown(chain.name), self.trace.shown(chain.variable)
                self.notes.append(
                    f"{name} is {ratio:.4g} times the gradient of {variable}; lines that use it are judged with it."
                )
            return again
        for step, gradients, tainted in before:
            step.gradients, step.tainted = gradients, tainted
        return judged

    def _trust_what_was_right(self, judged: list[tuple[Chain, Judgement]]) -> list[tuple[Chain, Judgement]]:
        """In a function that was laid out, acquit a line that made the right value of right ones in the user's own run.

        What it makes when it is run alone may differ then: it may use what the checker does not see, such as the state
        of an object. Where all that leaves the functions was right, what is spelled like another gradient inside is
        left out. As wrong in general a line is given only where an edit shows what is.
        """
        if not any(DOT in name for step in self.region.steps for name in step.gradients):
            return judged
        right = {chain.name for chain, judgement in judged if was_right(chain, judgement)}
        outside = {chain.name for chain, _ in judged if number_of(chain.name) is None}
        whole = bool(outside) and outside <= right
        kept = []
        for chain, judgement in judged:
            if DOT in "".join({chain.name, *judgement.plan.gradients}):
                if whole and chain.name not in right:
                    continue
                if judgement.fault == "wrong" and (whole or {chain.name, *judgement.plan.gradients} <= right):
                    judgement.fault = None
                if judgement.fault == "masked" and chain.name in right:
                    found = diagnose(self.judge, judgement)
                    judgement.fault = judgement.fault if any(d.fix is not None for d in found) else None
            kept.append((chain, judgement))
        return kept

    def _name_the_loss(self, chains: list[Chain]) -> None:
        """Keep the loss's value; where several scalars may be the loss, say which most gradients belong to."""
        losses = self.judge.truth.losses(self.judge.truth.own)
        taken = [self.judge.truth.located(chain)[0].name for chain in chains]
        if len(losses) > 1 and taken and not any(loss.name in self.trace.evident for loss in losses):
            name = max(taken, key=taken.count)
            losses.sort(key=lambda loss: loss.name != name)
            others = ", ".join(loss.name for loss in losses[1:])
            self.notes.append(f"{name} is taken to be the loss, not {others} (--loss NAME).")
        self.loss = float(losses[0].data) if losses else None
        truth = self.judge.truth
        for whole in truth.wholes:
            known = set(self.trace.losses) - whole.names.keys()
            parts = [v for v in truth.forward.ancestors(whole) if v.names.keys() & known]
            one, other = self.trace.shown(whole.name), " and ".join(sorted(self.trace.shown(v.name) for v in parts))
            if not truth.assumptions.wholes:
                one, other = other, one
            self.notes.append(f"{one} is taken to be the loss, not {other} (--loss NAME).")

    def _name_the_functions(self) -> None:
        """Say where a backward half of the user's is not what follows from its forward half."""
        truth = self.judge.truth
        if doubted := truth.doubted_functions():
            names = ", ".join(sorted(doubted))
            judged_by = "forward" if truth.assumptions.derived else "backward"
            self.notes.append(
                f"the backward of {names} is not the derivative of its forward; gradients are judged by its "
                f"{judged_by} (handgrad.check tells more)."
            )

    def _row(self, chain: Chain, judgement: Judgement) -> VariableReport:
        reference = judgement.want if judgement.true is None else judgement.true
        actual = as_tensor(chain.actual, reference)
        found = compare(actual, reference) if actual is not None else Comparison(False, False, False, False, None, None)
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
            found = [narrowed(one, chain, self.judged) for one in diagnose(self.judge, judgement)]
            statements = [self._statement_at(chain, one.place) for one in found]
            row.diagnosis = [self._in_the_users_words(*pair) for pair in zip(found, statements, strict=True)]
            row.place, row.text = found[0].place or row.place, statements[0].text
            if any(self._is_one_mistake(row, other) for other in self.rows):
                row.cause, row.diagnosis = "inherited", []
        elif row.verdict in ("wrong", "shape", "missing"):
            row.cause = "inherited"
        return row

    def _is_one_mistake(self, row: VariableReport, other: VariableReport) -> bool:
        """Whether the line that makes another gradient wrong makes this one wrong too."""
        if other.cause != "own" or row.place != other.place or row.gradient == other.gradient:
            return False
        mine, known = ([(d.fix, d.kind) for d in one.diagnosis] for one in (row, other))
        return row.place != row.chain_place and mine == known and (None, "missing") not in mine

    def _is_shown_already(self, chain: Chain, row: VariableReport) -> bool:
        """Whether what comes out of a function, or goes into one, has a row of its own."""
        if row.cause == "own":
            return False
        local = number_of(chain.name) is not None
        for other in self._gradients_of(self.judge.truth.located(chain)[1]):
            same = self.trace.shown(other.name) == row.gradient
            if (number_of(other.name) is not None) != local and local != same:
                return True
        return False

    def _gradients_of(self, value: Value) -> list[Chain]:
        return [chain for chain, _ in self.judged if self.judge.truth.located(chain)[1] is value]

    def _called(self, chain: Chain) -> str:
        """The variable as the user calls it; where a function calls it otherwise, as it is called outside."""
        if number_of(chain.variable) is not None:
            value = self.judge.truth.located(chain)[1]
            outside = [other.variable for other in self._gradients_of(value)] + list(value.names)
            return next((name for name in outside if DOT not in name), self.trace.shown(chain.variable))
        return self.trace.shown(chain.variable)

    def _in_the_users_words(self, found: Diagnosis, statement: Statement) -> Diagnosis:
        """No line can be added after a `return`, or in a call or a dict."""
        fix = found.fix
        if fix is not None:
            adds = found.start > found.end
            fix = None if adds and _is_a_part(statement) else self.trace.shown(statement.spelled(fix))
        return replace(found, message=self.trace.shown(statement.spelled(found.message)), fix=fix)

    def _statement_at(self, chain: Chain, place: Place | None) -> Statement:
        for step in [*reversed(chain.steps), *chain.region.steps]:
            if step.statement.place == place and step.statement.role != "entry":
                return step.statement
        whole = chain.last.statement
        if place is not None:
            for line in simple_statements(whole.node):
                if line.lineno == place.line and not isinstance(line, ast.For):
                    return replace(whole, node=line, text=segment(whole.code, line), place=place)
        return whole

    def _verdict(self, chain: Chain, judgement: Judgement, found: Comparison, actual: Tensor | None) -> str:
        if judgement.fault:
            return judgement.fault
        if actual is None:
            return "missing"
        if found.exact and found.same_shape:
            return "exact"
        slack = judgement.cases[0].slack if judgement.cases else 0.0
        near = found.relative_error is not None and (
            found.relative_error <= rounding(chain.actual, judgement.true) or _absolute(actual, judgement) <= slack
        )
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
        return "close"

    def _explained(self, chain: Chain, judgement: Judgement) -> bool:
        """Whether something upstream, or a hazard, accounts for a difference the line itself does not make."""
        if self.hazards or judgement.plan.gradients & self.unsound:
            return True
        for name in sorted(judgement.plan.gradients):
            if (later := self._finished_after(name, chain)) is not None:
                self.hazards.append(stale_hazard(chain, name, later))
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

    def _find_hazards(self, judged: list[tuple[Chain, Judgement]]) -> None:
        forward = self.judge.truth.forward
        losses = self.judge.truth.losses(forward)
        if not losses:
            return
        reached = set().union(*(forward.ancestors(loss) for loss in losses))
        first = min(loss.step.index if loss.step else -1 for loss in losses)
        last = max(loss.step.index if loss.step else -1 for loss in losses)
        inner = {n for v in reached if not v.root for n, bound in v.names.items() if bound <= last}
        roots = {n for v in reached if v.root for n in v.names} - inner
        gradients = {n for s in self.region.steps for n in s.gradients}
        reported: set[str] = set()
        for step in self.region.steps:
            if step.index <= first:
                continue
            names = [n for n in sorted(step.changes - step.turns) if n not in step.gradients and n not in reported]
            names = [n for n in names if n in inner or n in gradients or (n in roots and step.gradients)]
            for name in _without_further_names(self.region, step, names):
                self.hazards.append(in_place_hazard(self.region, step, name, name in gradients))
            reported.update(names)
        for _, judgement in judged:
            if judgement.rescued_by_clean:
                for name, step in judgement.plan.shadowed.items():
                    if name not in reported:
                        reported.add(name)
                        self.hazards.append(shadow_hazard(step, name, judgement.chain))

    def _list_missing(self) -> None:
        forward = self.judge.truth.forward
        losses = self.judge.truth.losses(forward)
        if not losses:
            return
        loss = next(iter(losses))
        for value in reversed(forward.values):
            names = value.names.keys() | {self.trace.shown(name) for name in value.names}
            if value in self.judge.truth.sweep(forward, loss) and not names & self.written and value is not loss:
                real = self.trace.machine.namespace.get(value.name)
                if value.root and not (isinstance(real, Tensor) and real.requires_grad):
                    continue
                self.written |= names
                outside = [n for n in value.names if number_of(n) is None]
                if not outside:  # a step inside a function, which needs no name of its own
                    continue
                name = self.trace.shown(outside[0])
                self.rows.append(VariableReport(name, f"d{name}", list(value.leaf.shape), None, "missing"))


def _faults(judged: Judged) -> int:
    return sum(judgement.fault in ("wrong", "masked") for _, judgement in judged)


def _without_further_names(region: Region, step: Step, names: list[str]) -> list[str]:
    """Of the names a statement changes, the first that each tensor was given."""
    bound = {name: i for i, earlier in enumerate(region.steps) for name in earlier.binds if earlier.index < step.index}
    latest_first = sorted(names, key=lambda name: bound.get(name, -1), reverse=True)
    first = {storage_of(step.after.get(name)) or name: name for name in latest_first}
    return [name for name in names if name in first.values()]


def _ratio(chain: Chain, judgement: Judgement) -> float | None:
    """How many times the true gradient a gradient is, where that is a number other than 1."""
    reference = judgement.want if judgement.true is None else judgement.true
    actual = as_tensor(chain.actual, reference)
    if actual is None or actual.shape != reference.shape or agrees(actual, reference, 0.0, ROUNDING):
        return None
    return constant_ratio(reference.double(), actual.double(), ROUNDING)


def _is_a_part(statement: Statement) -> bool:
    """Whether the user's text of it is no statement that another can follow."""
    return statement.role == "argument" or any(head.endswith(" = ") for head, _ in statement.spelling)


def _absolute(actual: Tensor, judgement: Judgement) -> float:
    if actual.numel() != judgement.want.numel():
        return float("inf")
    return float((actual.double().reshape(-1) - judgement.want.double().reshape(-1)).abs().max())


def _merge(report: Report, one: _Inspection) -> None:
    """Add a region's rows; a later training step adds only what the first did not show."""
    report.notes += one.notes
    if report.loss is None:
        report.loss = one.loss
    seen = {(row.gradient, row.chain_place): i for i, row in enumerate(report.variables)}
    named = {row.name for row in report.variables}
    for row in one.rows:
        key = (row.gradient, row.chain_place)
        if key in seen:
            if report.variables[seen[key]].cause is None and row.cause == "own":
                report.variables[seen[key]] = row
        elif row.place is not None or row.name not in named:
            report.variables.append(row)
    known = {(h.kind, h.variable, h.place) for h in report.hazards}
    report.hazards += [h for h in one.hazards if (h.kind, h.variable, h.place) not in known]


__all__ = ["CheckError", "Diagnosis", "check_file", "check_source"]
