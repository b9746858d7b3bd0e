"""Gradients that are begun and no more: first tries that a later line replaces, and lines whose other half is to come."""

import itertools

import torch

from handgrad.checker.judge.blame import Judgement
from handgrad.checker.judge.interpretation import Interpretation
from handgrad.checker.truth.chains import Chain
from handgrad.checker.truth.compare import agrees, align, as_tensor


def first_tries(interpretation: Interpretation) -> dict[Chain, Chain]:
    """The wrong gradients that a later line of the same name replaces before another gradient has used them."""
    found = {}
    for chain in (judgement.chain for judgement in interpretation.judgements if judgement.fault):
        again = (c for c in interpretation.chains if c.name == chain.name and c.steps[0].index > chain.last.index)
        if (later := next(again, None)) is not None and not any(
            chain.name in other.plan.gradients and chain.last.index < other.chain.last.index <= later.steps[0].index
            for other in interpretation.judgements
        ):
            found[chain] = later
    return found


def unfinished(interpretation: Interpretation) -> dict[Chain, list[str]]:
    """The gradients at which the backward pass ends, with the paths that they lack because these are yet to be written.

    Neither are the gradients on the missing paths written, nor those that come after this one.
    """
    truth = interpretation.judge.truth
    written = set(truth.gradient_names.values())
    read = set().union(*(judgement.plan.gradients for judgement in interpretation.judgements))
    found = {}
    for judgement in interpretation.judgements:
        chain = judgement.chain
        if judgement.fault == "wrong" and chain.name not in read:
            inputs = truth.forward.inputs(interpretation.value_of(chain))
            if inputs and not any(set(v.names) & written for v in inputs):
                missing = _missing_paths(judgement)
                if missing and not set(missing) & written:
                    found[chain] = missing
    return found


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


MOST_PATHS = 6
