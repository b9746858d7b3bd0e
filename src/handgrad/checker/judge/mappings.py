"""Which variables the gradients in a list belong to: the list that is meant, and the end it was filled from."""

from dataclasses import replace

import torch

from handgrad.checker.judge.blame import Judge, Judgement
from handgrad.checker.run.trace import Step
from handgrad.checker.truth.chains import chains_of
from handgrad.checker.truth.compare import as_tensor


def chosen(judge: Judge, mappings: dict[str, list[dict[str, str]]]) -> Judge:
    """A judge who takes for each container the mapping that its lines fit best."""
    for options in mappings.values():
        made = _made(judge, set().union(*options))
        if len(options) > 1 and made:
            judge = max((_assigned(judge, made, mapping) for mapping in options), key=lambda one: _fit(one, made))
    return judge


def of_parameters(judge: Judge, guesses: dict[str, tuple[list[str], bool]]) -> Judge:
    """The same for gradients that parameters of modules may belong to; none where nothing but the shape says so."""
    for name, (candidates, sure) in guesses.items():
        steps = [step for step in judge.region.steps if name in step.gradients]
        options = [*candidates, candidates[0] if sure else None] if steps else []
        for candidate in options:
            judge = judge.under(judge.region.taking(_claiming(step, name, candidate) for step in steps))
            judged = [judge.judge_once(chain) for chain in chains_of(judge.region) if chain.name == name]
            if judged and all(j is not None and j.fault is None for j in judged):
                break
    return judge


def _claiming(step: Step, name: str, variable: str | None) -> Step:
    """The statement as it writes the gradient of a variable, or none, under a name."""
    claims = {n: v for n, v in step.gradients.items() if n != name} | ({name: variable} if variable else {})
    return replace(step, gradients=claims, tainted=not claims)


def unjudged(judge: Judge, names: set[str]) -> dict[str, Step]:
    """What containers hold that is none of the gradients judged, which are called `names`."""
    return {name: step for name, step in _made(judge, None).items() if name not in names}


def _made(judge: Judge, names: set[str] | None) -> dict[str, Step]:
    """The last statement of the backward pass that took each of these elements, or any, out of its container."""
    taken = [s for s in judge.region.steps if s.statement.role == "element" and s.backward]
    return {name: step for step in taken for name in step.binds & (step.binds if names is None else names)}


def _fit(judge: Judge, made: dict[str, Step]) -> float:
    """How many lines are right under a mapping; a wrong one counts by how much it looks like the gradient."""
    judged = [judge.judge_once(chain) for chain in chains_of(judge.region) if chain.name in made]
    return sum(1.0 if j.fault is None else 0.9 * _likeness(j) for j in judged if j is not None)


def _likeness(judgement: Judgement) -> float:
    """The cosine of the angle between what the line makes and the gradient, whatever its sign."""
    got = as_tensor(judgement.outcome.got, judgement.want) if judgement.outcome else None
    if got is None or got.shape != judgement.want.shape:
        return 0.0
    cosine = torch.cosine_similarity(got.double().reshape(-1), judgement.want.double().reshape(-1), dim=0)
    return float(cosine.nan_to_num().abs())


def _assigned(judge: Judge, made: dict[str, Step], mapping: dict[str, str]) -> Judge:
    """The judge under the interpretation that the elements are the gradients which a mapping says."""
    claims = {name: {name: mapping[name]} if name in mapping else {} for name in made}
    steps = (replace(step, gradients=claims[name], tainted=not claims[name]) for name, step in made.items())
    return judge.under(judge.region.taking(steps))
