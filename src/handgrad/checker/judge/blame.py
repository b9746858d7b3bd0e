"""Teacher forcing: is a line wrong itself, or does it only pass on what another line got wrong?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.judge.rounds import leave_rounds
from handgrad.checker.read.trees import Edit
from handgrad.checker.run.trace import Region, Step, Trace
from handgrad.checker.run.values import is_array, is_float
from handgrad.checker.truth import situations
from handgrad.checker.truth.assumptions import Assumptions
from handgrad.checker.truth.cases import Case, Outcome, evaluate
from handgrad.checker.truth.chains import Chain, Plan
from handgrad.checker.truth.compare import agrees, as_tensor
from handgrad.checker.truth.reduce import RELATIONS, Reduction, enlarged, reduced
from handgrad.checker.truth.truth import Truth

Resized = Callable[[Region, str], Reduction]

ROUNDING = 1e-4
"""Relative error up to which a gradient in float32, or in more, is close, where its line is right."""


@dataclass
class Judgement:
    """What teacher forcing says of one chain.

    `fault` is None for a right line, else "wrong", "masked", "shape" or "missing"; `failing` is a case the line gets
    wrong and `cases` those it was judged in, the program's own first.
    """

    chain: Chain
    plan: Plan
    want: Tensor
    true: Tensor | None = None
    fault: str | None = None
    outcome: Outcome | None = None
    failing: Case | None = None
    cases: list[Case] = field(default_factory=list)
    rescued_by_clean: bool = False


class Judge:
    """Judges the chains of one region.

    `repairs` are edits that mended another gradient, `acquitted` the statements that a right gradient goes through on
    its way from a name's one meaning to the next.
    """

    def __init__(self, trace: Trace, region: Region, assumptions: Assumptions):
        """Find the truth about the region."""
        self.trace, self.machine, self.region = trace, trace.machine, region
        self.truth = Truth(trace, region, assumptions)
        self._leave_to_their_readers()
        leave_rounds(region)
        self.repairs: list[tuple[Edit, Step]] = []
        self.no_gradients: set[str] = set()
        self.acquitted: set[Step] = set()
        self._resized: dict[tuple[Resized, str], tuple[Judge, Reduction]] = {}

    def _leave_to_their_readers(self) -> None:
        """A name spelled like the gradient of what reaches no loss is a temporary of the gradients that read it."""
        losses = self.truth.losses(self.truth.forward)
        reaching = {n for loss in losses for v in self.truth.forward.ancestors(loss) for n in v.names}
        for step in self.region.steps if losses else ():
            kept = {n: v for n, v in step.gradients.items() if v in reaching}
            step.tainted = step.tainted or kept != step.gradients
            step.gradients = kept

    def judge(self, chain: Chain) -> Judgement | None:
        """Judge one chain; None where its variable does not reach a loss.

        Where several losses depend on the variable, or it had several values, the gradient of any of them is right, and
        what the user's own run made tells which is meant.
        """
        first = self.judge_once(chain)
        if first is None or first.fault in ("shape", "missing") or (first.fault is None and was_right(chain, first)):
            return first
        kept = chain.last.statement.role == "element"
        if first.fault is not None and not kept and self._is_no_gradient(first):
            self.no_gradients.add(chain.name)
            return None
        while True:
            self.truth.skipped[chain] = self.truth.skipped.get(chain, 0) + 1
            other = self.judge_once(chain)
            if other is None:
                del self.truth.skipped[chain]
                return first
            if other.fault is None and (first.fault is not None or was_right(chain, other)):
                return other

    def _is_no_gradient(self, judgement: Judgement) -> bool:
        """Whether a value is a gradient by its name alone, such as the logits of a dev split.

        It reads no gradient and nothing that was computed on the way to the loss, but tensors from elsewhere; or it is
        computed from such a value.
        """
        plan, chain = judgement.plan, judgement.chain
        if plan.gradients:
            return bool(plan.gradients & self.no_gradients)
        loss, _ = self.truth.located(chain)
        within = self.truth.forward.ancestors(loss)
        before = loss.step.index if loss.step else -1
        read = {n for s in plan.steps for n in s.reads} - {chain.name}
        values = [self.truth.forward.versions(n)[0] for n in read if self.truth.forward.versions(n)]
        foreign = any(
            v not in within and min(v.names.values()) < before
            for value in values
            for v in self.truth.forward.ancestors(value)
        )
        return foreign and not any(v in within and not v.root for v in values)

    def judge_once(self, chain: Chain) -> Judgement | None:
        """Judge one chain for the one loss whose turn it is."""
        truth = self.truth
        if truth.find(truth.forward, chain) is None:
            return None
        plan = truth.plan(chain)
        case = truth.case("true", truth.forward, plan)
        if case is None:
            return None
        judgement = Judgement(chain, plan, want=case.want, true=truth.own_gradient(chain), cases=[case])
        if chain.actual is None or chain.actual is ...:
            judgement.fault = "missing" if chain.last.error is None else None
            if judgement.fault:
                return judgement
        outcome = judgement.outcome = evaluate(self.machine, plan, case)
        is_gradient = outcome.error is not None or _is_gradient(outcome.got)
        if not is_gradient or not (self._agrees(outcome, case) or self._rescue(judgement)):
            judgement.fault, judgement.failing = "wrong", case
            return judgement
        case = judgement.cases[0]
        if (failing := self._fails_in_general(judgement)) is not None:
            judgement.fault, judgement.failing = "masked", failing
            return judgement
        if chain.refused:
            judgement.fault, judgement.failing = "wrong", case
            return judgement
        got = as_tensor(judgement.outcome.got, case.want)
        scalar = not isinstance(judgement.outcome.got, Tensor) and case.want.numel() == 1
        if got is not None and got.shape != case.want.shape and not scalar:
            judgement.fault, judgement.failing = "shape", case
            return judgement
        return replace(judgement, cases=[case], outcome=None)

    def _fails_in_general(self, judgement: Judgement) -> Case | None:
        """A situation that the program hides, and in which the line is wrong.

        In a program with large tensors it is looked for in small sizes first, and no further where there is none.
        """
        if self.truth.is_large and any(found.fault is None for _, found, _ in self.in_small(judgement)):
            return None
        for case in situations.hidden(self.truth, judgement.plan):
            judgement.cases.append(case)
            if not self._agrees(evaluate(self.machine, judgement.plan, case), case):
                return case
        return None

    def _agrees(self, outcome: Outcome, case: Case) -> bool:
        got = as_tensor(outcome.got, case.want)
        if got is not None and got.numel() == 1:
            got = got.reshape(()).expand_as(case.want)
        return agrees(got, case.want, case.noise, self.truth.tolerance)

    def _rescue(self, judgement: Judgement) -> bool:
        """Try the shapes the user's own gradients have, and forward values in place of names used for others.

        For a loss that is not the latest, such a name may have been given to a value of a later pass: it stays.
        """
        chain = judgement.chain
        attempts = [(judgement.plan, True)]
        if judgement.plan.shadowed and chain not in self.truth.skipped:
            attempts += [(self.truth.plan(chain, clean=True), like_user) for like_user in (False, True)]
        for plan, like_user in attempts:
            made = self.truth.case("true", self.truth.forward, plan, like_user=like_user)
            if made is None:
                continue
            outcome = evaluate(self.machine, plan, made)
            if self._agrees(outcome, made):
                judgement.rescued_by_clean = plan is not attempts[0][0]
                judgement.outcome, judgement.plan, judgement.cases = outcome, plan, [made]
                return True
        return False

    def forget_small(self) -> None:
        """Make the small sizes anew when they are needed: the region is read in another way."""
        self._resized.clear()

    def in_small(self, judgement: Judgement) -> Iterator[tuple["Judge", Judgement, Reduction]]:
        """The same chain, judged in a program of small sizes."""
        return self._in_sizes(judgement, reduced)

    def in_other_sizes(self, judgement: Judgement) -> Iterator[tuple["Judge", Judgement, Reduction]]:
        """The same chain, judged in a program of larger sizes, in which it is wrong as well."""
        return (found for found in self._in_sizes(judgement, enlarged) if found[1].fault not in (None, "missing"))

    def _in_sizes(self, judgement: Judgement, resized: Resized) -> Iterator[tuple["Judge", Judgement, Reduction]]:
        chain = judgement.chain
        for other, reduction in self._judges_in(resized):
            own = Chain(chain.name, chain.variable, other.region, [reduction.steps[s] for s in chain.steps])
            other.truth.skipped[own] = self.truth.skipped.get(chain, 0)
            try:
                found = other.judge_once(own)
            except (LookupError, RuntimeError, TypeError, ValueError):
                continue
            if found is not None and found.plan.steps == [reduction.steps[s] for s in judgement.plan.steps]:
                yield other, found, reduction

    def _judges_in(self, resized: Resized) -> Iterator[tuple["Judge", Reduction]]:
        """Judges of the same region in other sizes, as far as its forward pass runs in them."""
        for relations in RELATIONS:
            key = resized, relations
            if key not in self._resized:
                reduction = resized(self.region, relations)
                self._resized[key] = Judge(self.trace, reduction.region, self.truth.assumptions), reduction
            truth = self._resized[key][0].truth
            if not (truth.forward.failed or truth.is_large) and truth.double == self.truth.double:
                yield self._resized[key]


def _is_gradient(got: Any) -> bool:
    """Whether the value can be a gradient at all: a float tensor or array, or a number."""
    if isinstance(got, Tensor) or is_array(got):
        return is_float(got) or is_array(got)
    return isinstance(got, int | float) and not isinstance(got, bool)


def was_right(chain: Chain, judgement: Judgement) -> bool:
    """Whether the gradient agreed with autograd's in the user's own run."""
    reference = judgement.want if judgement.true is None else judgement.true
    slack = judgement.cases[0].slack if judgement.cases else 0.0
    return agrees(as_tensor(chain.actual, reference), reference, slack, rounding(chain.actual, reference))


def rounding(*tensors: Any) -> float:
    """The relative error up to which a gradient is close, where its line is right: more in half precision."""
    coarsest = max((torch.finfo(t.dtype).eps for t in tensors if is_float(t)), default=0.0)
    return max(ROUNDING, 32 * coarsest)
