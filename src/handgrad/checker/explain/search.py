"""The search for the edit that mends one gradient: what is tried, and what is asked of it."""

import ast
import functools
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

from handgrad.checker.explain.candidates import Candidate, Candidates
from handgrad.checker.explain.formulas import Formulas, rewritten
from handgrad.checker.explain.readable import is_readable
from handgrad.checker.explain.rewrite import unparsed
from handgrad.checker.explain.settings import temporaries
from handgrad.checker.explain.symptoms import Symptoms
from handgrad.checker.explain.telling import Telling
from handgrad.checker.explain.trials import Change, Trials
from handgrad.checker.judge.blame import Judge, Judgement
from handgrad.checker.read.trees import Edit
from handgrad.checker.report import Diagnosis
from handgrad.checker.run.trace import Step
from handgrad.checker.run.values import is_float

SUMMED = ("{0}", "({0}).sum(0)", *(f"({{0}}).sum({dim}, keepdim=True)" for dim in (0, 1, -1)), "({0}).sum()")
"""What may have to be done to a product before it is a gradient."""


class Search:
    """Tries edits of one line, and of what it uses."""

    def __init__(
        self,
        judge: Judge,
        judgement: Judgement,
        suspected: Collection[ast.stmt] = (),
        others: Collection[Judgement] = (),
    ):
        """Collect what may be tried; of a compound statement the `suspected` lines first. What is right stays so."""
        self.judge, self.judgement, self.chain = judge, judgement, judgement.chain
        others = [other for other in others if other is not judgement]
        self.others = [(other, {*other.plan.steps, *temporaries(judge, other.plan)}) for other in others]
        self.trials = Trials(judge, judgement)
        self.raises = self.trials.full.outcome.error is not None
        self.telling = Telling(judgement, self.trials.full.outcome, judge.trace.closed)
        self.symptoms = Symptoms(self.trials.full, self.telling)
        self.candidates = Candidates(judge, judgement, self.raises, suspected)
        self.gradients = self.candidates.gradients
        self.case, self.own = self.trials.case, self.trials.own
        self.formulas = Formulas(judge, self.chain, self.case, self.trials.full.cases[0], self.candidates.values)
        self.failed: set[Edit] = set()
        self.by_chance: list[Candidate] = []
        self.in_context: list[Candidate] = []

    def _edits(self, only: Callable[[Edit], bool] | None = None, late: bool = False) -> Diagnosis | None:
        for candidate in self.candidates.sorted(late):
            if only is None or only(candidate.edit):
                if self.trials.exhausted():
                    return None
                if self._repairs(candidate):
                    self.judge.repairs.append((candidate.edit, candidate.step))
                    return self.telling.of(candidate.edit, candidate.step)
        return None

    def _repairs(self, candidate: Candidate) -> bool:
        change = candidate.edit, candidate.step
        if candidate.edit in self.failed:
            return False
        right = self.trials.right(change)
        if (right or self.trials.in_context) and self._harms_nothing(*change):
            if right and self.trials.right_elsewhere(change):
                return True
            (self.by_chance if right else self.in_context).append(candidate)
        self.failed.add(candidate.edit)
        return False

    def _harms_nothing(self, edit: Edit, step: Step) -> bool:
        """Whether every other gradient that is right, and comes of the edited statement too, stays so."""
        readers = (other for other, made_by in self.others if other.fault is None and step in made_by)
        return all(Trials(self.judge, other).right((edit, step)) for other in readers)

    def _mends_all_that_share(self) -> Diagnosis | None:
        """An edit of a temporary that mends every gradient which is made with it and is wrong."""
        for candidate in self.candidates.sorted(late=False):
            edit, step = candidate.edit, candidate.step
            sharing = [other for other, made_by in self.others if other.fault == "wrong" and step in made_by]
            if not sharing or step.gradients:
                continue
            if self.trials.exhausted():
                return None
            if self._repairs(candidate) and all(Trials(self.judge, other).right((edit, step)) for other in sharing):
                self.judge.repairs.append((edit, step))
                return self.telling.of(edit, step)
        return None

    @functools.cached_property
    def usable(self) -> set[Step]:
        """The statements that an edit of another gradient's may be one of."""
        return {*self.judgement.plan.steps, *self.candidates.temporaries, *self.candidates.editable()}

    def known_repair(self, repairs: Iterable[Change]) -> Diagnosis | None:
        """An edit that mended another gradient, of a line that both use."""
        for edit, step in repairs:
            if step in self.usable and self.trials.right((edit, step)) and self._harms_nothing(edit, step):
                return self.telling.of(edit, step)
        return None

    @functools.cached_property
    def _rewrites(self) -> list[Candidate]:
        return list(rewritten(self.formulas, self.candidates))

    def _rewritten(self, only: Callable[[Edit], bool] = lambda _: True) -> Diagnosis | None:
        """The line, or one term of it, as the forward pass has it."""
        for candidate in self._rewrites:
            if only(candidate.edit) and self._repairs(candidate):
                found = self.telling.of(candidate.edit, candidate.step)
                if found.fix is not None and not is_readable(found.fix, unparsed(candidate.edit.statement)):
                    found = replace(found, fix=None)
                if self.raises:
                    raised = self.symptoms.unknown()
                    return replace(raised, fix=found.fix, place=found.place, start=found.start, end=found.end)
                if self.own is not None and self.own.shape != self.case.want.shape:
                    return replace(found, kind="shape", old="", new="")
                return found
        return None

    def _added_terms(self, names: list[str]) -> str | None:
        """A line to add that brings the missing path."""
        if len(names) != 1:
            return None
        texts = sorted(self._terms_through(names[0]), key=len)
        for template, text in itertools.product(SUMMED, texts):
            if self.trials.exhausted():
                return None
            line = self.candidates.spelled(f"{self.chain.name} += {template.format(text)}")
            for spelled in (line, line.replace("+=", f"= {self.chain.name} +", 1)):
                if self.trials.right_after(spelled):
                    return spelled
        return None

    def _terms_through(self, consumer: str) -> Iterator[str]:
        upstream = self.formulas.upstream(consumer)
        copies = f" * torch.ones_like({self.chain.variable})"
        through = [text.removesuffix(copies) for text in self.formulas.through(consumer)]
        yield from dict.fromkeys(text for text in (" + ".join(through), *through, upstream) if text)
        if upstream not in (None, "1.0"):
            for other, value in self.candidates.values.items():
                if is_float(value) and other not in self.gradients:
                    yield f"{upstream} * {other}"

    def _try_line(self, kind: str, line: str) -> Diagnosis | None:
        line = self.candidates.spelled(line)
        if self.trials.exhausted() or not self.trials.right_after(line):
            return None
        return self._added(Diagnosis(kind), line)

    def _added(self, found: Diagnosis, line: str | None) -> Diagnosis:
        return self.telling.of_added(found, line, self.gradients)
