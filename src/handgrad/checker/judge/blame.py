"""Teacher forcing: is a line wrong itself, or does it only pass on what another line got wrong?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.read.trees import Edit
from handgrad.checker.run.trace import Region, Step, Trace
from handgrad.checker.run.values import is_array, is_float
from handgrad.checker.truth import situations
from handgrad.checker.truth.assumptions import Assumptions
from handgrad.checker.truth.cases import Case, Outcome, evaluate
from handgrad.checker.truth.chains import Chain, Plan, needed_by
from handgrad.checker.truth.compare import COARSE, agrees, as_tensor
from handgrad.checker.truth.reduce import RELATIONS, Reduction, enlarged, reduced
from handgrad.checker.truth.truth import Truth

Resized = Callable[[Region, str], Reduction]


@dataclass(frozen=True, eq=False)
class Judgement:
    """What teacher forcing says of one chain.

    `fault` is None for a right line, else "wrong", "masked", "shape" or "missing"; `failing` is a case the line gets
    wrong and `cases` those it was judged in, the program's own first. Of a `doubtful` fault only a repair is a proof.
    """

    chain: Chain
    plan: Plan
    want: Tensor
    true: Tensor | None = None
    fault: str | None = None
    outcome: Outcome | None = None
    failing: Case | None = None
    cases: tuple[Case, ...] = ()
    rescued_by_clean: bool = False
    doubtful: bool = False

    def within(self, region: Region) -> "Judgement":
        """The same of the same statements, as they are read in `region`."""
        steps = {step.index: step for step in region.steps}
        chain = self.chain.within(region)
        shadowed = {name: steps[step.index] for name, step in self.plan.shadowed.items()}
        plan = replace(self.plan, chain=chain, steps=[steps[s.index] for s in self.plan.steps], shadowed=shadowed)
        return replace(self, chain=chain, plan=plan)


class Judge:
    """Judges the chains of a program under one interpretation.

    `repairs` are edits that mended another gradient, `acquitted` the statements that a right gradient goes through on
    its way from a name's one meaning to the next.
    """

    def __init__(self, trace: Trace, region: Region, truth: Truth):
        """Judge what the statements of `region` write, by the truth about it."""
        self.trace, self.machine, self.region, self.truth = trace, trace.machine, region, truth
        self.repairs: list[tuple[Edit, Step]] = []
        self.acquitted: set[Step] = set()
        self._no_gradients: set[str] = set()
        self._resized: dict[tuple[Resized, str], tuple[Judge, Reduction]] = {}

    @staticmethod
    def of(trace: Trace, region: Region, assumptions: Assumptions) -> "Judge":
        """A judge who has found the truth about the region."""
        return Judge(trace, region, Truth(trace, region, assumptions))

    def under(self, region: Region, earlier: tuple[Chain, ...] | None = None) -> "Judge":
        """A judge by the same truth under another interpretation."""
        earlier = self.truth.earlier if earlier is None else earlier
        other = Judge(self.trace, region, self.truth.read_as(region, tuple(c.within(region) for c in earlier)))
        other._no_gradients = set(self._no_gradients)
        return other

    def knowing(self, chain: Chain) -> "Judge":
        """A judge who knows to which loss, or value of its variable, a chain belongs."""
        others = tuple(c for c in self.truth.earlier if (c.name, c.last) != (chain.name, chain.last))
        known = (*others, chain) if chain.skipped else others
        return self if known == self.truth.earlier else self.under(self.region, known)

    def judge(self, chain: Chain) -> Judgement | None:
        """Judge one chain; None where its variable does not reach a loss.

        Where several losses depend on the variable, or it had several values, the gradient of any of them is right, and
        what the user's own run made tells which is meant.
        """
        first = self.judge_once(chain)
        if first is None or first.fault in ("shape", "missing") or (first.fault is None and was_right(first)):
            return first
        kept = chain.last.statement.role == "element"
        if first.fault is not None and not kept and self._is_no_gradient(first):
            self._no_gradients.add(chain.name)
            return None
        other = chain
        while True:
            other = replace(other, skipped=other.skipped + 1)
            found = self.judge_once(other)
            if found is None:
                return first
            if found.fault is None and (first.fault is not None or was_right(found)):
                return found

    def _is_no_gradient(self, judgement: Judgement) -> bool:
        """Whether a value is a gradient by its name alone, such as the logits of a dev split.

        It reads no gradient and nothing that was computed on the way to the loss, but tensors from elsewhere; or it is
        computed from such a value.
        """
        plan, chain = judgement.plan, judgement.chain
        if plan.gradients:
            return bool(plan.gradients & self._no_gradients)
        loss, _ = self.truth.located(chain)
        within = self.truth.forward.ancestors(loss)
        before = loss.step.index if loss.step else -1
        read = {n for s in plan.steps for n in needed_by(s)} - {chain.name}
        values = [self.truth.forward.versions(n)[0] for n in read if self.truth.forward.versions(n)]
        behind = [v for value in values for v in self.truth.forward.ancestors(value)]
        foreign = any(v not in within and min(v.names.values()) < before for v in behind)
        return foreign and not any(v in within and not v.root for v in behind)

    def judge_once(self, chain: Chain) -> Judgement | None:
        """Judge one chain for the one loss whose turn it is."""
        truth = self.truth
        if truth.find(truth.forward, chain) is None:
            return None
        plan = truth.plan(chain)
        case = truth.case("true", truth.forward, plan)
        if case is None:
            return None
        judgement = Judgement(chain, plan, want=case.want, true=truth.own_gradient(chain), cases=(case,))
        if (chain.actual is None or chain.actual is ...) and chain.last.error is None:
            return replace(judgement, fault="missing")
        raised = [step.error for step in chain.steps if step.error is not None]
        if raised and raised[0].missing == chain.name:
            return judgement  # it goes on with what was made elsewhere, or nowhere: nothing is wrong with the line
        outcome = evaluate(self.machine, plan, case)
        judgement = replace(judgement, outcome=outcome)
        if outcome.error is None and not _is_gradient(outcome.got):
            return replace(judgement, fault="wrong", failing=case)
        if not self._agrees(outcome, case):
            if (rescued := self._rescued(judgement)) is None:
                return replace(judgement, fault="wrong", failing=case)
            judgement, outcome = rescued
        case = judgement.cases[0]
        tried, failing = self._in_general(judgement)
        if failing is not None:
            return replace(judgement, fault="masked", failing=failing, cases=(case, *tried))
        if chain.refused:
            return replace(judgement, fault="wrong", failing=case, cases=(case, *tried))
        got = as_tensor(outcome.got, case.want)
        scalar = not isinstance(outcome.got, Tensor) and case.want.numel() == 1
        if got is not None and got.shape != case.want.shape and not scalar:
            return replace(judgement, fault="shape", failing=case, cases=(case, *tried))
        return replace(judgement, outcome=None)

    def _in_general(self, judgement: Judgement) -> tuple[list[Case], Case | None]:
        """The situations besides the program's own in which a line is tried, and that of them in which it is wrong.

        In a program with large tensors it is looked for in small sizes first, and no further where there is none.
        """
        tried: list[Case] = []
        if self.truth.is_large and any(found.fault is None for _, found, _ in self.in_small(judgement)):
            return tried, None
        for case in situations.hidden(self.truth, judgement.plan):
            tried.append(case)
            if not self._agrees(evaluate(self.machine, judgement.plan, case), case):
                return tried, case
        return tried, None

    def _agrees(self, outcome: Outcome, case: Case) -> bool:
        got = as_tensor(outcome.got, case.want)
        if got is not None and got.numel() == 1:
            got = got.reshape(()).expand_as(case.want)
        return agrees(got, case.want, case.noise, self.truth.tolerance)

    def _rescued(self, judgement: Judgement) -> tuple[Judgement, Outcome] | None:
        """A line right in the shapes the user's own gradients have, or with forward values for names used for others.

        For a loss that is not the latest, such a name may have been given to a value of a later pass: it stays.
        """
        chain = judgement.chain
        attempts = [(judgement.plan, True)]
        if judgement.plan.shadowed and not chain.skipped:
            attempts += [(self.truth.plan(chain, clean=True), like_user) for like_user in (False, True)]
        for plan, like_user in attempts:
            made = self.truth.case("true", self.truth.forward, plan, like_user=like_user)
            if made is None:
                continue
            outcome = evaluate(self.machine, plan, made)
            if self._agrees(outcome, made):
                clean = plan is not attempts[0][0]
                mended = replace(judgement, rescued_by_clean=clean, outcome=outcome, plan=plan, cases=(made,))
                return mended, outcome
        return None

    def in_small(self, judgement: Judgement) -> Iterator[tuple["Judge", Judgement, Reduction]]:
        """The same chain, judged in a program of small sizes."""
        return self._in_sizes(judgement, reduced)

    def in_other_sizes(self, judgement: Judgement) -> Iterator[tuple["Judge", Judgement, Reduction]]:
        """The same chain, judged in a program of larger sizes, in which it is wrong as well."""
        return (found for found in self._in_sizes(judgement, enlarged) if found[1].fault not in (None, "missing"))

    def _in_sizes(self, judgement: Judgement, resized: Resized) -> Iterator[tuple["Judge", Judgement, Reduction]]:
        chain = judgement.chain
        for other, reduction in self._judges_in(resized):
            try:
                found = other.judge_once(chain.within(other.region))
            except (LookupError, RuntimeError, TypeError, ValueError):
                continue
            if found is not None and found.plan.steps == judgement.plan.steps:
                yield other, found, reduction

    def _judges_in(self, resized: Resized) -> Iterator[tuple["Judge", Reduction]]:
        """Judges of the same region in other sizes, as far as its forward pass runs in them."""
        for relations in RELATIONS if resized is enlarged or not self.region.scales else ():
            key = resized, relations
            if key not in self._resized:
                reduction = resized(self.region, relations)
                other = Judge.of(self.trace, reduction.region, self.truth.assumptions)
                self._resized[key] = other.under(reduction.region, self.truth.earlier), reduction
            truth = self._resized[key][0].truth
            if not (truth.forward.failed or truth.is_large) and truth.double == self.truth.double:
                yield self._resized[key]


def _is_gradient(got: Any) -> bool:
    """Whether the value can be a gradient at all: a float tensor or array, or a number."""
    if isinstance(got, Tensor) or is_array(got):
        return is_float(got) or is_array(got)
    return isinstance(got, int | float) and not isinstance(got, bool)


def was_right(judgement: Judgement) -> bool:
    """Whether the gradient agreed with autograd's in the user's own run."""
    reference = judgement.want if judgement.true is None else judgement.true
    slack = judgement.cases[0].slack if judgement.cases else 0.0
    actual = judgement.chain.actual
    return agrees(as_tensor(actual, reference), reference, slack, rounding(actual, reference))


def rounding(*tensors: Any) -> float:
    """The relative error up to which a gradient is close, where its line is right: more in half precision."""
    coarsest = max((torch.finfo(t.dtype).eps for t in tensors if is_float(t)), default=0.0)
    return max(COARSE, 32 * coarsest)
