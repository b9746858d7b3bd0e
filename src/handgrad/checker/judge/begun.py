"""Gradients that are only begun: first tries that a later line replaces, and lines whose other half is to come."""

import itertools
from dataclasses import replace

import torch
from torch import Tensor

from handgrad.checker.judge.blame import Judgement
from handgrad.checker.judge.interpretation import Interpretation
from handgrad.checker.truth.compare import agrees, align, as_tensor
from handgrad.checker.truth.truth import Truth

MOST_PATHS = 6
Differentiated = dict[str, tuple[str, Tensor]]
"""For every gradient its variable, and the value of that."""


def differentiated(truth: Truth) -> Differentiated:
    """For every gradient its variable, and the value of that."""
    names = truth.region.gradient_names.items()
    return {name: (variable, v[0].data) for name, variable in names if (v := truth.own.versions(variable))}


def unmoved_since(truth: Truth, before: Differentiated) -> set[str]:
    """The gradients that an earlier pass made of variables that have the same values in this one."""
    now = differentiated(truth)
    same = (name for name, (variable, _) in before.items() if name in now and now[name][0] == variable)
    return {name for name in same if torch.equal(before[name][1], now[name][1])}


def without_begun(found: Interpretation) -> Interpretation:
    """The interpretation without the gradients that are only begun; a note tells of each wrong first try."""
    replacements = _replacements(found)
    tried = _following(found, {old for old in replacements if old.fault})
    notes, unfinished, kept = [*found.notes], [], []
    for judgement in found.judgements:
        chain = judgement.chain
        if judgement in tried:
            if judgement.fault:
                place, name = chain.last.statement.place, found.judge.trace.shown(chain.name)
                later = replacements[judgement].chain.last.statement.place
                notes.append(f"{place} is a first try at {name}; judged is {later}, which replaces it.")
        elif paths := _missing(found, judgement):
            unfinished.append((chain, tuple(paths)))
        else:
            kept.append(judgement)
    replaced = (*found.replaced, *(judgement.chain for judgement in found.judgements if judgement in tried))
    return replace(found, judgements=tuple(kept), notes=tuple(notes), replaced=replaced, unfinished=tuple(unfinished))


def _replacements(found: Interpretation) -> dict[Judgement, Judgement]:
    """The judgements of first tries, each with the next of that name.

    What has used one of them before it is replaced has to be a first try too, which a later cell replaces.
    """
    later = {old: new for old in found.judgements if (new := _next(found, old)) is not None}
    while True:
        kept = {old: new for old, new in later.items() if all(r in later for r in _readers(found, old, new))}
        if len(kept) == len(later):
            return kept
        later = kept


def _next(found: Interpretation, judgement: Judgement) -> Judgement | None:
    """The next gradient of this name, where it is that of the same loss for the same value: not of another pass."""
    located, name = found.judge.truth.located, judgement.chain.name
    of = located(judgement.chain)
    same = [j for j in found.judgements if j.chain.name == name and located(j.chain) == of]
    return next((j for j in same if j.chain.steps[0].index > judgement.chain.last.index), None)


def _readers(found: Interpretation, old: Judgement, new: Judgement) -> list[Judgement]:
    """The judgements of the gradients that have used one before its replacement."""
    name, first, last = old.chain.name, old.chain.last.index, new.chain.steps[0].index
    return [j for j in found.judgements if name in j.plan.gradients and first < j.chain.last.index <= last]


def _following(found: Interpretation, wrong: set[Judgement]) -> set[Judgement]:
    """Wrong first tries, and the first tries computed from them."""
    replacements = _replacements(found)
    while True:
        made = {r for old in wrong for r in _readers(found, old, replacements[old])}
        if made <= wrong:
            return wrong
        wrong = wrong | made


def _missing(found: Interpretation, judgement: Judgement) -> list[str]:
    """The paths that a gradient lacks, at which the backward pass ends, because these are yet to be written.

    Neither are the gradients on the missing paths written, nor those that come after this one.
    """
    written = set(found.judge.truth.region.gradient_names.values())
    chain = judgement.chain
    if judgement.fault != "wrong" or any(chain.name in j.plan.gradients for j in found.judgements):
        return []
    inputs = found.judge.truth.forward.inputs(found.value_of(chain))
    if not inputs or any(set(v.names) & written for v in inputs):
        return []
    missing = set(_missing_paths(judgement))
    there = {name for name, _ in judgement.cases[0].parts} - missing
    step_by_step = there <= written and not missing & written  # and no formula for several paths at once
    return [name for name, _ in judgement.cases[0].parts if name in missing] if step_by_step else []


def _missing_paths(judgement: Judgement) -> list[str]:
    """The values whose shares a line lacks, where it is the sum of all others."""
    case, outcome = judgement.cases[0], judgement.outcome
    got = as_tensor(outcome.got, case.want) if outcome and outcome.error is None else None
    got = align(got, case.want) if got is not None and not got.is_complex() else None
    if got is None or len(case.parts) > MOST_PATHS:
        return []
    for size in range(1, len(case.parts)):
        for chosen in itertools.combinations(case.parts, size):
            lacking = torch.stack([part for _, part in chosen]).sum(0)
            if bool(lacking.any()) and agrees(got + lacking, case.want, case.noise, 1e-6):
                return [name for name, _ in chosen]
    return []
