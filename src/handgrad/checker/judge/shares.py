"""Gradients of one call alone, of a variable that several calls use, as the steps of a recurrent network do.

In `dx, dh, dWx_t = step_backward(dh, cache)` the local `dWx` is what comes back through that step; what all of them
come to is judged where they are added up.
"""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from handgrad.checker.judge.blame import Judgement
from handgrad.checker.judge.interpretation import Interpretation
from handgrad.checker.read.spelling import number_of
from handgrad.checker.truth.compare import agrees, as_tensor


def without_shares(found: Interpretation) -> Interpretation:
    """The interpretation without what is right for one call of several that use its variable."""
    shares = [j for j in found.wrong if _may_be_one(found, j) and any(_agrees(j, share) for share in _shares(j))]
    if not shares:
        return found
    names = {judgement.chain.name for judgement in shares}
    region = found.region.without(names, [step for one in shares for step in one.chain.steps])
    judge, kept = found.judge.under(region), []
    for old in (judgement for judgement in found.judgements if judgement not in shares):
        new = judge.judge(old.chain.within(region)) if old.plan.gradients & names else old
        kept += [new or old]
    written = found.written.union(*(found.value_of(j.chain).names for j in shares))
    replaced = (*found.replaced, *(j.chain for j in shares))
    return without_shares(replace(found.under(judge, kept), written=written, replaced=replaced))


def _may_be_one(found: Interpretation, judgement: Judgement) -> bool:
    """Whether it is local to a call, and of a parameter, or of what leads to gradients that came out right."""
    if number_of(name := judgement.chain.name) is None and judgement.chain.last.statement.role != "element":
        return False
    readers = {reader.chain.name for reader in found.readers(name)}
    return found.value_of(judgement.chain).root or (bool(readers) and readers <= found.right_in_the_run)


def _shares(judgement: Judgement) -> Iterator[Tensor]:
    """What comes back through each call that uses the variable, where there are several."""
    by_call: dict[int, list[Tensor]] = {}
    parts = judgement.cases[0].parts if judgement.cases else []
    for name, part in parts:
        if (number := number_of(name)) is not None:
            by_call.setdefault(number, []).append(part)
    if sum(map(len, by_call.values())) < len(parts) or len(by_call) > 1:
        yield from (torch.stack(made).sum(0) for made in by_call.values())


def is_partial(judgement: Judgement) -> bool:
    """Whether a line makes just what comes back through some of the values that are made from its variable."""
    parts = [part for _, part in judgement.cases[0].parts] if judgement.cases else []
    chosen = (some for size in range(1, min(len(parts), 4)) for some in itertools.combinations(parts, size))
    return any(_agrees(judgement, torch.stack(some).sum(0)) for some in chosen)


def _agrees(judgement: Judgement, share: Tensor) -> bool:
    got = as_tensor(judgement.outcome.got, judgement.want) if judgement.outcome else None
    return got is not None and got.shape == share.shape and agrees(got, share, judgement.cases[0].noise)
