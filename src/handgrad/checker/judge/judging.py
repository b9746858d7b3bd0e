"""Judge all gradients of one region, each name read the way that leaves the fewest lines wrong."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import torch

from handgrad.checker.explain.diagnose import diagnose
from handgrad.checker.guard import guarded
from handgrad.checker.judge import mappings
from handgrad.checker.judge.begun import first_tries, unfinished
from handgrad.checker.judge.blame import Judge, Judgement, was_right
from handgrad.checker.judge.readings import Judged, believe_the_run, faults, reread
from handgrad.checker.place import Place
from handgrad.checker.read.spelling import DOT, number_of
from handgrad.checker.run.trace import Region, Trace
from handgrad.checker.truth.assumptions import Assumptions
from handgrad.checker.truth.chains import Chain, before_the_update, chains_of
from handgrad.checker.truth.compare import as_tensor
from handgrad.checker.truth.numbers import constant_ratio
from handgrad.checker.truth.reference import Value


class Judging:
    """The judgements of one region, under the assumptions that leave the fewest lines wrong.

    `judged` holds them, each with its chain; `region` is the region as it was read for them, `judge` who judged it.
    `replaced` are the first tries, each with what replaces it, and `unfinished` the gradients that lack paths which are yet
    to be written; neither is judged. `unfit` says why nothing can be judged, `notes` what the user should know, and `written` holds the names of values
    whose gradients the program has, whether they are judged or not.
    """

    def __init__(self, trace: Trace, region: Region, before: "Judging | None"):
        """Judge every chain; `before` is the region before this one."""
        self.trace, self.region, self.before = trace, region, before
        self.judged = self._all_judged(region, Assumptions())
        self.unfit = self._not_finite()
        if any(judgement.fault for _, judgement in self.judged):
            for other in self._other_assumptions():
                best = self.judge, self.region, self.notes, self.written, self.judged
                self.judged = self._all_judged(region, other)
                if faults(self.judged) >= faults(best[-1]):
                    self.judge, self.region, self.notes, self.written, self.judged = best
        self.replaced = first_tries(self.judged)
        self.judged = [(chain, j) for chain, j in self.judged if chain not in self.replaced]
        for chain, later in self.replaced.items():
            first, name, second = chain.last.statement.place, trace.shown(chain.name), later.last.statement.place
            self.notes.append(f"{first} is a first try at {name}; judged is {second}, which replaces it.")
        self.unfinished = unfinished(self.judge, self.judged)
        self.judged = [(chain, j) for chain, j in self.judged if chain not in self.unfinished]

    def value_of(self, chain: Chain) -> Value:
        """The value that a judged chain is the gradient of."""
        return self.judge.truth.located(chain)[1]

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

    def _all_judged(self, region: Region, assumptions: Assumptions) -> Judged:
        """The judgements of all chains of the region, under some assumptions."""
        self.region = replace(
            region, steps=[replace(s, gradients=dict(s.gradients), turns=set(s.turns)) for s in region.steps]
        )
        self.notes, self.written = [], set()
        self.judge = Judge(self.trace, self.region, assumptions)
        chosen = mappings.choose(self.judge, self.trace.mappings)
        if mappings.choose_parameters(self.judge, self.trace.guesses) or chosen:
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
        with about(chain):
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
            if judgement.fault in ("wrong", "masked") and self.value_of(chain).root:
                finished = [before_the_update(chain, decays) for decays in (False, True)]
                finished = [one if one and self._is_of_the_same_loss(one, chain) else None for one in finished]
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

    def _is_of_the_same_loss(self, one: Chain, other: Chain) -> bool:
        """Whether no term, such as a penalty, is added to the loss between the ends of two chains."""
        found = [self.judge.truth.find(self.judge.truth.forward, chain) for chain in (one, other)]
        return all(found) and found[0][0] is found[1][0]

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
                same = [old for reader, old in readers.items() if self.value_of(reader) is self.value_of(chain)]
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

    def _without_multiples(self, judged: Judged) -> Judged:
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

    def _passing_on(self, first: Chain, judged: Judged) -> list[Chain]:
        """The chain, and the right ones computed from it that others are computed from."""
        plans = {chain: self.judge.truth.plan(chain) for chain, _ in judged}
        group = [first]
        for chain, judgement in judged:
            read = any(chain.name in p.gradients and chain.last not in c.steps for c, p in plans.items())
            if read and judgement.fault is None and plans[chain].gradients & {c.name for c in group}:
                group.append(chain)
        return group

    def _judged_without(self, group: list[Chain], judged: Judged) -> Judged | None:
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

    def _trust_what_was_right(self, judged: Judged) -> Judged:
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


def about(chain: Chain) -> contextlib.AbstractContextManager:
    """Exceptions of the checker's own are about the line that writes a gradient."""
    place = chain.last.statement.place
    return guarded(f"{place.file}, {place}")
