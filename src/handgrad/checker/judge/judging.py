"""Judge all gradients of one region, each name read the way that leaves the fewest lines wrong."""

import contextlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

import torch

from handgrad.checker.guard import guarded
from handgrad.checker.judge import mappings
from handgrad.checker.judge.begun import Differentiated, unmoved_since, without_begun
from handgrad.checker.judge.blame import Judge, Judgement
from handgrad.checker.judge.interpretation import Interpretation
from handgrad.checker.judge.multiples import with_multiples
from handgrad.checker.judge.readings import believing_the_run, reread
from handgrad.checker.judge.rounds import without_rounds
from handgrad.checker.judge.shares import is_partial, without_shares
from handgrad.checker.place import Place
from handgrad.checker.read.spelling import DOT, number_of
from handgrad.checker.run.trace import Region, Step, Trace
from handgrad.checker.truth import epsilons
from handgrad.checker.truth.assumptions import Assumptions
from handgrad.checker.truth.chains import Chain, before_the_update, chains_of
from handgrad.checker.truth.compare import as_tensor
from handgrad.checker.truth.truth import Truth


def judged(trace: Trace, region: Region, before: Differentiated) -> Interpretation:
    """The interpretation of a region that leaves the fewest lines wrong.

    `before` is what the region before it differentiated, and the values of that.
    """
    best = _judged_under(trace, region, before, Assumptions())
    for other in _other_assumptions(best.judge.truth):
        if other.epsilons and not any(judgement.fault for judgement in best.judgements):
            continue
        found = _judged_under(trace, region, before, other)
        if found.unfit is None and _left(found) < _left(best):
            best = found
    return without_begun(best)


def _left(found: Interpretation) -> tuple[int, int, bool]:
    """How much an interpretation leaves wrong; of those that leave as much, which judges the most, as it was meant."""
    namespace, assumed = found.judge.machine.namespace, found.judge.truth.assumptions
    steps = (step for judgement in found.judgements for step in judgement.plan.steps)
    exact = assumed.epsilons and bool(found.wrong) and not epsilons.are_undone(steps, namespace)
    return len(found.wrong), -len(found.judgements), exact


def _judged_under(trace: Trace, region: Region, before: Differentiated, assumptions: Assumptions) -> Interpretation:
    """The judgements of all chains of the region, under some assumptions."""
    if not assumptions.epsilons:
        region = epsilons.without(region, trace.machine.namespace)
    judge = _with_likely_claims(Judge.of(trace, region, assumptions))
    judge = _with_likely_claims(mappings.chosen(judge, trace.mappings))
    judge = mappings.of_parameters(judge, trace.guesses)
    if (unfit := _not_finite(judge.truth)) is not None:
        return Interpretation(judge, unfit=unfit)
    judge = judge.under(replace(judge.region, begun=unmoved_since(judge.truth, before)))
    chains = [c for c in chains_of(judge.region) if c.name not in trace.unfinished]
    found = _before_the_update(_judged_in_turn(judge, chains))
    found = reread(found)
    found = with_multiples(_without_intermediates(without_shares(found), local=True))
    found = _with_partial_sums(believing_the_run(_without_intermediates(found, local=False)))
    right = [judgement for judgement in found.judgements if judgement.fault is None]
    through = (step for judgement in right for step in judgement.plan.steps)
    found.judge.acquitted = {step for step in through if step.turns - step.gradients.keys()}
    return _trusting_what_was_right(found)


def _with_partial_sums(found: Interpretation) -> Interpretation:
    """Acquit the lines that are right with what a gradient was when they read it, before more was added to it.

    As in `dlogits = dnorm_logits.clone()`, then `dmaxes = -dlogits.sum(1)`, and then `dlogits += ...`.
    """
    kept = []
    for judgement in found.judgements:
        if names := _read_early(found, judgement) if judgement in found.wrong else set():
            writing = [step for step in found.region.steps if names & set(step.gradients)]
            judge = found.judge.under(found.region.without(names, writing))
            again = judge.judge(judgement.chain.within(judge.region))
            right = again is not None and again.fault is None
            judgement = replace(judgement, fault=None) if right else judgement
        kept.append(judgement)
    return replace(found, judgements=tuple(kept))


def _read_early(found: Interpretation, judgement: Judgement) -> set[str]:
    """The gradients that a line reads and to which later ones add."""
    early = set()
    for name in judgement.plan.gradients - {judgement.chain.name}:
        reading = [step.index for step in judgement.chain.steps if name in step.reads]
        same = [chain for chain in found.chains if chain.name == name]
        early |= {name for c in same for index in reading if c.steps[0].index < index < c.last.index}
    return early


def _with_likely_claims(judge: Judge) -> Judge:
    """The judge, names taken for temporaries that are spelled like gradients of what reaches no loss, or of a round."""
    region, losses = judge.region, judge.truth.losses(judge.truth.forward)
    reaching = {n for loss in losses for v in judge.truth.forward.ancestors(loss) for n in v.names}
    for step in region.steps if losses else ():
        if foreign := {name for name, variable in step.gradients.items() if variable not in reaching}:
            region = region.without(foreign, [step])
    return judge.under(without_rounds(region))


def _not_finite(truth: Truth) -> str | None:
    """A sentence where the loss is not a finite number, so that nothing can be judged."""
    losses = truth.losses(truth.own)
    if any(v.data.is_meta for v in losses):
        return "the loss is on the meta device, where tensors have no values."
    if not losses or any(bool(torch.isfinite(v.data).all()) for v in losses):
        return None
    within = truth.own.values
    first = next((v for v in within if v.leaf.numel() and not bool(torch.isfinite(v.data).all())), losses[0])
    where = f" in {first.step.statement.place}" if first.step else ""
    return (
        f"the loss is {float(losses[0].data)}, so no gradient can be judged; "
        f"{first.name}{where} is the first value with a NaN or an infinity (inf)."
    )


def _other_assumptions(truth: Truth) -> Iterator[Assumptions]:
    """What may be true besides, as far as it makes a difference in this program."""
    if truth.wholes:
        yield Assumptions(wholes=False)
    if truth.forward.functions:
        yield Assumptions(derived=False)
    if epsilons.has_any(truth.region, truth.machine.namespace):
        yield Assumptions(epsilons=False)


def _judged_in_turn(judge: Judge, chains: Iterable[Chain]) -> Interpretation:
    """Every chain judged, each with what those before it have shown of the values that they belong to."""
    found = []
    for chain in chains:
        if (judgement := _judgement(judge, chain)) is not None:
            judge = judge.knowing(judgement.chain)
            found.append(judgement)
    return Interpretation(judge).under(judge, found)


def _judgement(judge: Judge, chain: Chain) -> Judgement | None:
    with about(chain):
        return judge.judge(chain)


def _before_the_update(found: Interpretation) -> Interpretation:
    """Every gradient before it was clipped, or before its weight decay where it is right then."""
    changed: dict[Place, list[str]] = {}
    judgements = list(found.judgements)
    for i, judgement in enumerate(judgements):
        chain = judgement.chain
        if judgement not in found.wrong or not found.value_of(chain).root:
            continue
        finished = [before_the_update(chain, decays) for decays in (False, True)]
        finished = [one if one and _is_of_the_same_loss(found.judge.truth, one, chain) else None for one in finished]
        again = [j for one in finished if one is not None and (j := _judgement(found.judge, one)) is not None]
        first = again[0] if finished[0] and again else None
        if (chosen := next((j for j in again if j.fault is None), first)) is not None:
            place = chain.steps[len(chosen.chain.steps)].statement.place
            changed.setdefault(place, []).append(found.judge.trace.shown(chain.name))
            judgements[i] = chosen
    notes = (
        f"{place} changes {', '.join(n)} for the update; judged is what it was before." for place, n in changed.items()
    )
    return replace(found, judgements=tuple(judgements), notes=(*found.notes, *notes))


def _is_of_the_same_loss(truth: Truth, one: Chain, other: Chain) -> bool:
    """Whether no term, such as a penalty, is added to the loss between the ends of two chains."""
    first, second = truth.find(truth.forward, one), truth.find(truth.forward, other)
    return first is not None and second is not None and first[0] is second[0]


def _judged_without(
    found: Interpretation, names: Collection[str], among: Collection[Step], which: Iterable[Judgement]
) -> tuple[Judge, dict[Judgement, Judgement | None]]:
    """Some judgements made anew, with what statements write under these names taken for temporaries."""
    judge, again = found.judge.under(found.region.without(names, among)), {}
    for old in which:
        again[old] = new = judge.judge(old.chain.within(judge.region))
        judge = judge if new is None else judge.knowing(new.chain)
    return judge, again


def _without_intermediates(found: Interpretation, local: bool) -> Interpretation:
    """Leave out what is only computed with: not the gradient it is spelled like, but what comes of it is right.

    Or all that comes of it is wrong if it is, which is more likely one mistake than many. Such is in a function what it
    returns as `dlogits / n`, also where that is wrong too; of a name outside of functions a note tells.
    """
    for judgement in found.wrong:
        chain = judgement.chain
        if (number_of(chain.name) is not None) != local:
            continue
        readers, writing = found.readers(chain.name), [s for s in found.region.steps if chain.name in s.gradients]
        judge, again = _judged_without(found, {chain.name}, writing, readers)
        right = [old for old in readers if (again[old] or old).fault is None]
        if local:
            mended = any(old.fault for old in right) and all(old in right or old.fault for old in readers)
            same = [old for old in readers if found.value_of(old.chain) is found.value_of(chain)]
            explains = mended or any(old.fault for old in same) or _is_of_a_view(judgement)
        else:
            explains = len(right) == len(readers) and any(old.fault for old in readers)
            explains = explains or (is_partial(judgement) and len(right) > sum(old.fault is None for old in readers))
        again_run = {*found.judge.trace.not_entered, chain.last.statement.place}  # by other calls of its function
        once = not any(step.statement.place in again_run for old in readers for step in old.chain.steps)
        if explains or (once and len(readers) > 1 and all(old in found.wrong for old in readers)):
            kept = (again.get(other) or other for other in found.judgements if other is not judgement)
            found = found.under(judge, kept)
            if not local:
                name, variable = found.judge.trace.shown(chain.name), found.judge.trace.shown(chain.variable)
                note = f"{name} is not the gradient of {variable}; lines that use it are judged with it."
                found = replace(found, notes=(*found.notes, note))
            return _without_intermediates(found, local)
    return found


def _is_of_a_view(judgement: Judgement) -> bool:
    """Whether a gradient has the elements of its variable in other dimensions, as that of `x.view(n, -1)` has."""
    got = as_tensor(judgement.chain.actual, judgement.want)
    if got is None or got.numel() != judgement.want.numel():
        return False
    kept, wanted = (sorted(size for size in tensor.shape if size > 1) for tensor in (got, judgement.want))
    return kept != wanted


def _trusting_what_was_right(found: Interpretation) -> Interpretation:
    """In a function that was laid out, acquit a line that made the right value of right ones in the user's own run.

    What it makes when it is run alone may differ then: it may use what the checker does not see, such as the state
    of an object. Where all that leaves the functions was right, what is spelled like another gradient inside, and
    only computed with, is left out. That it is wrong in general is doubtful, unless an edit shows what is.
    """
    if not any(DOT in name for step in found.region.steps for name in step.gradients):
        return found
    right = found.right_in_the_run
    outside = {j.chain.name for j in found.judgements if number_of(j.chain.name) is None}
    whole = bool(outside) and outside <= right
    kept = []
    for judgement in found.judgements:
        used = {judgement.chain.name, *judgement.plan.gradients}
        if DOT in "".join(used):
            spoilt = (r for r in found.readers(judgement.chain.name) if not r.fault and r.chain.name not in right)
            if whole and judgement.chain.name not in right and found.serves(judgement.chain) and not any(spoilt):
                continue
            if judgement.fault == "wrong" and judgement.chain.name in right and (whole or used <= right):
                judgement = replace(judgement, fault=None)
            if judgement.fault == "masked" and judgement.chain.name in right:
                judgement = replace(judgement, doubtful=True)
        kept.append(judgement)
    return replace(found, judgements=tuple(kept))


def about(chain: Chain) -> contextlib.AbstractContextManager:
    """Exceptions of the checker's own are about the line that writes a gradient."""
    place = chain.last.statement.place
    return guarded(f"{place.file}, {place}")
