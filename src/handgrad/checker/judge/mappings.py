"""Which variables the gradients in a list belong to: the list that is meant, and the end it was filled from."""

import torch

from handgrad.checker.judge.blame import Judge, Judgement
from handgrad.checker.run.trace import Step
from handgrad.checker.truth.chains import chains_of
from handgrad.checker.truth.compare import as_tensor


def choose(judge: Judge, mappings: dict[str, list[dict[str, str]]]) -> bool:
    """Take for each container the mapping that its lines fit best; whether that changes anything."""
    changed = False
    for options in mappings.values():
        made = _made(judge, set().union(*options))
        if len(options) > 1 and made:
            before = {name: step.gradients for name, step in made.items()}
            best = max(options, key=lambda mapping: _fit(judge, made, mapping))
            _assign(made, best)
            changed |= before != {name: step.gradients for name, step in made.items()}
    return changed


def choose_parameters(judge: Judge, guesses: dict[str, tuple[list[str], bool]]) -> bool:
    """The same for gradients that parameters of modules may belong to; none where nothing but the shape says so."""
    changed = False
    for name, (candidates, sure) in guesses.items():
        steps = [step for step in judge.region.steps if name in step.gradients]
        before = [step.gradients for step in steps]
        for candidate in [*candidates, candidates[0] if sure else None]:
            for step in steps:
                others = {n: v for n, v in step.gradients.items() if n != name}
                step.gradients = {**others, name: candidate} if candidate else others
                step.tainted = not step.gradients
            judged = [judge.judge_once(chain) for chain in chains_of(judge.region) if chain.name == name]
            if judged and all(j is not None and j.fault is None for j in judged):
                break
        changed |= before != [step.gradients for step in steps]
    return changed


def unjudged(judge: Judge, mappings: dict[str, list[dict[str, str]]], names: set[str]) -> dict[str, Step]:
    """What containers hold that is none of the gradients judged, which are called `names`."""
    elements = set().union(*(mapping for options in mappings.values() for mapping in options))
    return {name: step for name, step in _made(judge, elements).items() if name not in names}


def _made(judge: Judge, names: set[str]) -> dict[str, Step]:
    """The last statement of the backward pass that took each of these elements out of its container."""
    taken = [s for s in judge.region.steps if s.statement.role == "element" and s.backward]
    return {name: step for step in taken for name in step.binds & names}


def _fit(judge: Judge, made: dict[str, Step], mapping: dict[str, str]) -> float:
    """How many lines are right under a mapping; a wrong one counts by how much it looks like the gradient."""
    _assign(made, mapping)
    judged = [judge.judge_once(chain) for chain in chains_of(judge.region) if chain.name in made]
    return sum(1.0 if j.fault is None else 0.9 * _likeness(j) for j in judged if j is not None)


def _likeness(judgement: Judgement) -> float:
    """The cosine of the angle between what the line makes and the gradient, whatever its sign."""
    got = as_tensor(judgement.outcome.got, judgement.want) if judgement.outcome else None
    if got is None or got.shape != judgement.want.shape:
        return 0.0
    cosine = torch.cosine_similarity(got.double().reshape(-1), judgement.want.double().reshape(-1), dim=0)
    return float(cosine.nan_to_num().abs())


def _assign(made: dict[str, Step], mapping: dict[str, str]) -> None:
    for name, step in made.items():
        step.gradients = {name: mapping[name]} if name in mapping else {}
        step.tainted = not step.gradients
