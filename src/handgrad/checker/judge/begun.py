"""Gradients that are only begun: first tries that a later line replaces, and lines whose other half is to come."""

import itertools
from dataclasses import replace

import torch

from handgrad.checker.judge.blame import Judgement
from handgrad.checker.judge.interpretation import Interpretation
from handgrad.checker.truth.compare import agrees, align, as_tensor

MOST_PATHS = 6


def without_begun(found: Interpretation) -> Interpretation:
    """The interpretation without the gradients that are only begun; a note tells of each first try."""
    notes, replaced, unfinished, kept = [*found.notes], [], [], []
    for judgement in found.judgements:
        chain = judgement.chain
        if (later := _replacement(found, judgement)) is not None:
            first, name, second = chain.last.statement.place, found.judge.trace.shown(chain.name), later.chain.last
            notes.append(f"{first} is a first try at {name}; judged is {second.statement.place}, which replaces it.")
            replaced.append(chain)
        elif paths := _missing(found, judgement):
            unfinished.append((chain, tuple(paths)))
        else:
            kept.append(judgement)
    return replace(
        found, judgements=tuple(kept), notes=tuple(notes), replaced=tuple(replaced), unfinished=tuple(unfinished)
    )


def _replacement(found: Interpretation, judgement: Judgement) -> Judgement | None:
    """What replaces a wrong gradient before another one has used it."""
    chain = judgement.chain
    same = (j for j in found.judgements if j.chain.name == chain.name)
    later = next((j for j in same if j.chain.steps[0].index > chain.last.index), None)
    if not judgement.fault or later is None:
        return None
    readers = [other.chain.last.index for other in found.judgements if chain.name in other.plan.gradients]
    used = any(chain.last.index < index <= later.chain.steps[0].index for index in readers)
    return None if used else later


def _missing(found: Interpretation, judgement: Judgement) -> list[str]:
    """The paths that a gradient lacks, at which the backward pass ends, because these are yet to be written.

    Neither are the gradients on the missing paths written, nor those that come after this one.
    """
    written = set(found.judge.truth.gradient_names.values())
    chain = judgement.chain
    if judgement.fault != "wrong" or any(chain.name in j.plan.gradients for j in found.judgements):
        return []
    inputs = found.judge.truth.forward.inputs(found.value_of(chain))
    if not inputs or any(set(v.names) & written for v in inputs):
        return []
    missing = _missing_paths(judgement)
    return [] if set(missing) & written else missing


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
