"""From a program to a report: trace it, judge every gradient, and explain the lines at fault."""

import ast
import contextlib
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from handgrad.checker import mappings
from handgrad.checker.assumptions import Assumptions
from handgrad.checker.blame import Judge, Judgement, rounding, was_right
from handgrad.checker.chains import Chain, before_the_update, chains_of
from handgrad.checker.compare import Comparison, as_tensor, compare
from handgrad.checker.diagnose import diagnose, shared_repair
from handgrad.checker.edits import simple_statements
from handgrad.checker.flat.spelling import DOT, number_of
from handgrad.checker.guard import CheckError, guarded, outlived
from handgrad.checker.hazards import in_place_hazard, shadow_hazard, stale_hazard
from handgrad.checker.local_modules import importable
from handgrad.checker.loops import narrowed, suspects
from handgrad.checker.machine import Machine, Randomness, TimeIsUp, UserError, deep_enough, time_limit
from handgrad.checker.names import variables_of
from handgrad.checker.numbers import constant_ratio
from handgrad.checker.readings import Judged, believe_the_run, reread
from handgrad.checker.reference import Value
from handgrad.checker.report import Diagnosis, Hazard, Report, VariableReport
from handgrad.checker.source import Place, Source, SourceError, Statement, read_source, segment
from handgrad.checker.trace import Region, Step, Trace
from handgrad.checker.tracer import Tracer
from handgrad.checker.values import holds, storage_of


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
        CheckError: no loss, no gradient, an exception before the first gradient, or one of the checker's own.
    """
    path = Path(path)
    with guarded(path):
        path = path.resolve() if path.exists() else path
        source = read_source(path)
        if data is not None and not Path(data).is_dir():
            raise SourceError("there is no such folder", where=data, next_step="--data names one with files to open.")
        machine = Machine(path.parent, Path(data).resolve() if data else None)
        if path.suffix == ".ipynb":
            machine.namespace.update({"In": [""], "_ih": [""], "Out": {}, "_oh": {}, "_": "", "__": "", "___": ""})
        return check_source(source, machine, loss=loss, timeout=timeout, strict=strict)


def check_source(
    source: Source, machine: Machine, *, loss: str | None = None, timeout: float | None = None, strict: bool = False
) -> Report:
    """Check a program that has been read; see `check_file`."""
    where = source.path
    tree = (s.node for s in source.statements)
    with (
        guarded(where or "the functions"),
        _undisturbed(),
        outlived(where),
        deep_enough(tree),
        importable(where.parent if where else None),
    ):
        trace = Tracer(source, machine, loss).run(timeout)
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
    report.faults += [_told(trace, error) for error in trace.stops]
    if trace.timed_out:
        cut = report.faults if any(variables_of(n) for n in trace.unfinished) else report.notes
        cut.append(f"{trace.timed_out.place}: stopped after {timeout:g} s; what comes later was not run (--timeout).")
    if trace.ended:
        report.notes.append(f"{trace.ended.place}: {trace.ended.message}; what comes later was not run.")
    report.notes += [_told(trace, error) for error in trace.handled]
    if report.right:
        report.faults += [_told(trace, error) for error in trace.errors + trace.asides]
    else:
        shown = {row.place for row in report.blamed}
        report.notes += [_told(trace, error) for error in trace.errors if error.place not in shown]
    if not any(row.place for row in report.variables):
        _explain_nothing(source, trace, report, loss)
    return report


@contextlib.contextmanager
def _undisturbed():
    """The user's warnings are silent, and the random generators are afterwards where they were."""
    before, grad, dtype = Randomness.now({}), torch.is_grad_enabled(), torch.get_default_dtype()
    device = torch.get_default_device()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            before.restore({})
            torch.set_grad_enabled(grad)
            torch.set_default_dtype(dtype)
            if torch.get_default_device() != device:
                torch.set_default_device(None if device.type == "cpu" else device)


def _told(trace: Trace, error: UserError) -> str:
    advice = " (--data FOLDER names a folder with the file)" if error.message.startswith("FileNotFoundError") else ""
    return f"{error.place}: {trace.shown(error.message)}{advice}"


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
    if raised := [*trace.stops, *trace.errors, *trace.asides, *trace.handled]:
        error = raised[0]
        what = _told(trace, error).removeprefix(f"{error.place}: ")
        where = _where(source, error.place)
        raise CheckError(what, where=where, next_step="This is raised by the program itself.")
    if trace.ended:
        what = f"{trace.ended.message} before its first gradient"
        raise CheckError(what, where=_where(source, trace.ended.place), next_step="It was run without arguments.")
    namespace = {n: v for n, v in trace.machine.namespace.items() if not n.startswith("__")}
    values = list(namespace.values())
    if source.statements and not any("torch" in statement.code for statement in source.statements):
        what = "there is no loss, nor any other tensor of PyTorch, whose autograd the gradients are compared with"
        raise CheckError(what, where=where, next_step="Begin with torch.from_numpy(x), or torch.tensor(x).")
    if not trace.losses:
        raise CheckError(
            "no scalar loss was found" if loss is None else f"no loss called {loss!r}",
            where=where,
            got=_described("loss" if loss is None else loss, namespace),
            expected="a float tensor of PyTorch with one element",
            next_step="Give its name with --loss NAME.",
        )
    if functions := [n for n, v in namespace.items() if isinstance(v, type) and issubclass(v, torch.autograd.Function)]:
        what = f"{functions[0]} is an autograd.Function, and there are no gradients written outside of it"
        raise CheckError(what, where=where, next_step=f"Check it in Python: handgrad.check({functions[0]}, *inputs).")
    raise CheckError(
        f"no gradients were found after the loss {trace.shown(trace.losses[-1])!r}",
        where=where,
        got="complex tensors, which are not judged" if any(holds(Tensor.is_complex, v) for v in values) else None,
        expected="lines such as 'dlogits = ...' for a variable 'logits' of the forward pass",
        next_step="Write the gradient of NAME as dNAME.",
    )


def _described(name: str, namespace: dict[str, Any]) -> str | None:
    """What the program has under a name."""
    if name not in namespace:
        return None
    value = namespace[name]
    shape = f", {value.dtype}, of shape {tuple(value.shape)}" if isinstance(value, Tensor) else ""
    return f"{name}: a {type(value).__name__}{shape}"


class _Inspection:
    """The rows and hazards of one region."""

    def __init__(self, trace: Trace, region: Region, before: "_Inspection | None"):
        self.trace, self.region, self.before = trace, region, before
        self.rows: list[VariableReport] = []
        self.hazards: list[Hazard] = []
        self.notes: list[str] = []
        self.loss: float | None = None
        self.written: set[str] = set()
        self.in_vain: dict[tuple[Step | ast.stmt, ...], list[Diagnosis]] = {}

    def _not_finite(self) -> str | None:
        """A sentence where the loss is not a finite number, so that nothing can be judged."""
        losses = self.judge.truth.losses(self.judge.truth.own)
        if any(v.data.is_meta for v in losses):
            return "the loss is on the meta device, where tensors have no values."
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
        judged = self._all_judged(as_traced, Assumptions())
        if (unfit := self._not_finite()) is not None:
            self.notes.append(unfit)
            return
        if any(judgement.fault for _, judgement in judged):
            for other in self._other_assumptions():
                best = self.judge, self.region, self.notes, self.written, judged
                judged = self._all_judged(as_traced, other)
                if _faults(judged) >= _faults(best[-1]):
                    self.judge, self.region, self.notes, self.written, judged = best
        self._find_hazards(judged)
        self.unsound: set[str] = set()
        self.judged = judged
        self.found = {
            chain: self._diagnosed(chain, j) for chain, j in judged if j.fault and self._is_new(chain, explained)
        }
        self._explain_by_what_is_shared()
        for chain, judgement in judged:
            if self._is_new(chain, explained):
                with _about(chain):
                    row = self._row(chain, judgement)
                if row.verdict in ("wrong", "missing", "masked"):
                    self.unsound.add(chain.name)
                if not self._is_shown_already(chain, row):
                    self.rows.append(row)
                self.written |= {row.name, *self._value_of(chain).names}
                if any(step.turns for step in judgement.plan.steps):
                    self.written |= self.judge.truth.between(judgement.plan)
            elif judgement.fault:
                self.unsound.add(chain.name)
        self._list_missing()
        self._name_what_is_not_judged({chain.name for chain, _ in judged})
        self._name_the_loss([chain for chain, _ in judged])
        self._name_the_functions()

    def _all_judged(self, region: Region, assumptions: Assumptions) -> Judged:
        """The judgements of all chains of the region, under some assumptions."""
        self.region = replace(
            region, steps=[replace(s, gradients=dict(s.gradients), turns=set(s.turns)) for s in region.steps]
        )
        self.notes, self.written = [], set()
        self.judge = Judge(self.trace, self.region, assumptions)
        if mappings.choose(self.judge, self.trace.mappings):
            self.judge = Judge(self.trace, self.region, assumptions)
        if self._not_finite() is not None:
            return []
        if self.before is not None:
            self.region.begun = self.judge.truth.unmoved_since(self.before.judge.truth)
        chains = [c for c in chains_of(self.region) if c.name not in self.trace.unfinished]
        judged = self._before_the_update([(chain, j) for chain in chains if (j := self._judged(chain)) is not None])
        judged = reread(self.judge, judged)
        judged = self._without_multiples(self._without_intermediates(judged, local=True))
        judged = self._without_intermediates(judged, local=False)
        believe_the_run(judged)
        self.judge.acquitted = {s for _, j in judged if j.fault is None for s in j.plan.steps if s.turns}
        return self._trust_what_was_right(judged)

    def _judged(self, chain: Chain) -> Judgement | None:
        with _about(chain):
            return self.judge.judge(chain)

    def _other_assumptions(self) -> Iterator[Assumptions]:
        """What may be true besides, as far as it makes a difference in this program."""
        truth = self.judge.truth
        if truth.wholes:
            yield Assumptions(wholes=False)
        if truth.forward.functions:
            yield Assumptions(derived=False)

    def _before_the_update(self, judged: Judged) -> Judged:
        """Every gradient before it was clipped, or before its weight decay where it is right then."""
        changed: dict[Place, list[str]] = {}
        found = []
        for chain, judgement in judged:
            if judgement.fault in ("wrong", "masked"):
                finished = [before_the_update(chain, decays) for decays in (False, True)]
                again = [(one, j) for one in finished if one is not None and (j := self._judged(one)) is not None]
                first = again[0] if finished[0] and again else None
                chosen = next((pair for pair in again if pair[1].fault is None), first)
                if chosen is not None:
                    place = chain.steps[len(chosen[0].steps)].statement.place
                    changed.setdefault(place, []).append(self.trace.shown(chain.name))
                    found.append(chosen)
                    continue
            found.append((chain, judgement))
        for place, names in changed.items():
            self.notes.append(f"{place} changes {', '.join(names)} for the update; judged is what it was before.")
        return found

    def _without_intermediates(self, judged: Judged, local: bool) -> Judged:
        """Leave out what is only computed with: not the gradient it is spelled like, but what comes of it is right.

        Such is in a function what it returns as `dlogits / n`, also where that is wrong too; of a name outside of
        functions a note tells.
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
                mended = right and all(reader in right or old.fault for reader, old in readers.items())
                same = [old for reader, old in readers.items() if self._value_of(reader) is self._value_of(chain)]
                explains = mended or any(old.fault for old in same)
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

        As in `dZ = A - Y`, and then `dW = 1 / m * dZ @ X.T`. Right lines that pass the multiple on are left out too.
        """
        for chain, judgement in judged:
            ratio = self._ratio(judgement)
            if (
                ratio is not None
                and (again := self._judged_without(self._passing_on(chain, judged), judged)) is not None
            ):
                name, variable = self.trace.shown(chain.name), self.trace.shown(chain.variable)
                self.notes.append(
                    f"{name} is {ratio:.4g} times the gradient of {variable}; lines that use it are judged with it."
                )
                return self._without_multiples(again)
        return judged

    def _ratio(self, judgement: Judgement) -> float | None:
        """How many times the true gradient a wrong line makes of right values, where that is a number other than 1."""
        if judgement.fault != "wrong" or judgement.outcome is None or judgement.failing is None:
            return None
        got = as_tensor(judgement.outcome.got, judgement.want)
        if got is None or got.is_complex() or got.shape != judgement.want.shape:
            return None
        return constant_ratio(judgement.want, got, self.judge.truth.tolerance)

    def _passing_on(self, first: Chain, judged: list[tuple[Chain, Judgement]]) -> list[Chain]:
        """The chain, and the right ones computed from it that others are computed from."""
        plans = {chain: self.judge.truth.plan(chain) for chain, _ in judged}
        group = [first]
        for chain, judgement in judged:
            read = any(chain.name in p.gradients and chain.last not in c.steps for c, p in plans.items())
            if read and judgement.fault is None and plans[chain].gradients & {c.name for c in group}:
                group.append(chain)
        return group

    def _judged_without(
        self, group: list[Chain], judged: list[tuple[Chain, Judgement]]
    ) -> list[tuple[Chain, Judgement]] | None:
        """The others, judged with a group of gradients as temporaries; None where more are right with them."""
        names = {chain.name for chain in group}
        plans = {chain: self.judge.truth.plan(chain) for chain, _ in judged}
        before = [(step, step.gradients, step.tainted) for chain in group for step in chain.steps]
        for step, gradients, _ in before:
            step.gradients, step.tainted = {n: v for n, v in gradients.items() if n not in names}, True
        kept = [(chain, judgement) for chain, judgement in judged if chain not in group]
        again = {chain: self.judge.judge(chain) for chain, _ in kept if plans[chain].gradients & names}
        made_right = [chain for chain, old in kept if old.fault and (new := again.get(chain)) and not new.fault]
        made_wrong = [c for c, old in kept if c in again and not old.fault and ((new := again[c]) is None or new.fault)]
        if len(made_right) > len(made_wrong):
            self.written |= {n for c in group for v in self.judge.truth.forward.versions(c.variable) for n in v.names}
            return [(chain, again.get(chain) or old) for chain, old in kept]
        for step, gradients, tainted in before:
            step.gradients, step.tainted = gradients, tainted
        return None

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

    def _name_what_is_not_judged(self, names: set[str]) -> None:
        """A note for what is put where gradients are, and is that of nothing known."""
        places: dict[Place, list[str]] = {}
        for name, step in mappings.unjudged(self.judge, self.trace.mappings, names).items():
            places.setdefault(step.statement.place, []).append(self.trace.shown(name))
        for place, left in places.items():
            several = "are" if len(left) > 1 else "is"
            self.notes.append(f"{place}: {', '.join(left)} {several} not judged: no variable is known for it.")

    def _name_the_loss(self, chains: list[Chain]) -> None:
        """Keep the loss's value; where several scalars may be the loss, say which most gradients belong to."""
        losses = self.judge.truth.losses(self.judge.truth.own)
        taken = [self.judge.truth.located(chain)[0].name for chain in chains]
        names = {self.trace.shown(loss.name) for loss in losses}
        if len(names) > 1 and taken and not names & self.trace.evident:
            name = max(taken, key=taken.count)
            losses.sort(key=lambda loss: loss.name != name)
            name = self.trace.shown(name)
            others = ", ".join(other for loss in losses[1:] if (other := self.trace.shown(loss.name)) != name)
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
            found = self.found[chain]
            statements = [self._statement_at(chain, one.place) for one in found]
            row.diagnosis = [self._in_the_users_words(*pair) for pair in zip(found, statements, strict=True)]
            row.place, row.text = found[0].place or row.place, statements[0].text
            if any(self._is_one_mistake(row, other) for other in self.rows):
                row.cause, row.diagnosis = "inherited", []
        elif row.verdict in ("wrong", "shape", "missing"):
            row.cause = "inherited"
        return row

    def _diagnosed(self, chain: Chain, judgement: Judgement) -> list[Diagnosis]:
        """Why the chain is at fault; what was searched for in vain in the same lines of a loop is searched for once."""
        suspected = suspects(chain, self.judged)
        place = (chain.last, *suspected)
        if not (suspected and place in self.in_vain):
            with _about(chain):
                found = [narrowed(one, chain, suspected) for one in diagnose(self.judge, judgement, suspected)]
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
        if other.cause != "own" or row.place != other.place or row.gradient == other.gradient:
            return False
        mine, known = ([(d.fix, d.kind) for d in one.diagnosis] for one in (row, other))
        return row.place != row.chain_place and mine == known and (None, "missing") not in mine

    def _is_shown_already(self, chain: Chain, row: VariableReport) -> bool:
        """Whether what comes out of a function, or goes into one, has a row of its own."""
        if row.cause == "own":
            return False
        local = number_of(chain.name) is not None
        for other in self._gradients_of(self._value_of(chain)):
            same = self.trace.shown(other.name) == row.gradient
            if (number_of(other.name) is not None) != local and local != same:
                return True
        return False

    def _value_of(self, chain: Chain) -> Value:
        return self.judge.truth.located(chain)[1]

    def _gradients_of(self, value: Value) -> list[Chain]:
        return [chain for chain, _ in self.judged if self._value_of(chain) is value]

    def _called(self, chain: Chain) -> str:
        """The variable as the user calls it; where a function calls it otherwise, as it is called outside."""
        if number_of(chain.variable) is not None:
            value = self._value_of(chain)
            outside = [other.variable for other in self._gradients_of(value)] + list(value.names)
            return next((name for name in outside if DOT not in name), self.trace.shown(chain.variable))
        return self.trace.shown(chain.variable)

    def _in_the_users_words(self, found: Diagnosis, statement: Statement) -> Diagnosis:
        """No line can be added after a `return`, or in a call or a dict."""
        fix = found.fix
        if fix is not None:
            adds = found.start > found.end
            local = _locals(statement.spelled(ast.unparse(statement.node)))
            spelled = statement.spelled(fix)
            sayable = _locals(spelled) <= local and not (adds and _is_a_part(statement))
            fix = self.trace.shown(spelled) if sayable else None
        return replace(found, message=self.trace.shown(statement.spelled(found.message)), fix=fix)

    def _statement_at(self, chain: Chain, place: Place | None) -> Statement:
        for step in [*reversed(chain.steps), *chain.region.steps]:
            if step.statement.place == place and not step.statement.only_moves:
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
                self._warn_of(in_place_hazard(self.region, step, name, name in gradients), step.statement)
            reported.update(names)
        for _, judgement in judged:
            if judgement.rescued_by_clean:
                for name, step in judgement.plan.shadowed.items():
                    if name not in reported:
                        reported.add(name)
                        self._warn_of(shadow_hazard(step, name, judgement.chain), step.statement)

    def _warn_of(self, hazard: Hazard, statement: Statement) -> None:
        """Keep a hazard in the user's words."""
        repair = hazard.repair and self._in_the_users_words(hazard.repair, statement)
        message = self.trace.shown(statement.spelled(hazard.message))
        variable = self.trace.shown(hazard.variable)
        self.hazards.append(replace(hazard, variable=variable, message=message, repair=repair))

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


def _about(chain: Chain) -> contextlib.AbstractContextManager:
    """Exceptions of the checker's own are about the line that writes a gradient."""
    place = chain.last.statement.place
    return guarded(f"{place.file}, {place}")


def _without_further_names(region: Region, step: Step, names: list[str]) -> list[str]:
    """Of the names a statement changes, the first that each tensor was given."""
    bound = {name: i for i, earlier in enumerate(region.steps) for name in earlier.binds if earlier.index < step.index}
    latest_first = sorted(names, key=lambda name: (number_of(name) is not None, bound.get(name, -1)), reverse=True)
    first = {storage_of(step.after.get(name)) or name: name for name in latest_first}
    return [name for name in names if name in first.values()]


def _locals(text: str) -> set[int | None]:
    """The calls whose local names a text uses."""
    return {number_of(name) for name in re.findall(rf"[\w{DOT}]+", text)} - {None}


def _is_a_part(statement: Statement) -> bool:
    """Whether the user's text of it is no statement that another can follow."""
    return statement.role == "argument" or any(head.endswith(" = ") for head, _ in statement.spelling)


def _absolute(actual: Tensor, judgement: Judgement) -> float:
    if actual.numel() != judgement.want.numel():
        return float("inf")
    return float((actual.double().reshape(-1) - judgement.want.double().reshape(-1)).abs().max())


def _merge(report: Report, one: _Inspection) -> None:
    """Add a region's rows; a later training step adds only what the first did not show."""
    report.notes += [note for note in one.notes if note not in report.notes]
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
