"""Which variables the gradients in a list belong to: the list that is meant, and the end it was filled from."""

from handgrad.checker.blame import Judge
from handgrad.checker.chains import chains_of
from handgrad.checker.trace import Step


def choose(judge: Judge, mappings: dict[str, list[dict[str, str]]]) -> bool:
    """Take for each container the mapping under which most of its lines are right; whether that changes anything."""
    changed = False
    for options in mappings.values():
        made = _made(judge, set().union(*options))
        if len(options) > 1 and made:
            before = {name: step.gradients for name, step in made.items()}
            best = max(options, key=lambda mapping: _count_right(judge, made, mapping))
            _assign(made, best)
            changed |= before != {name: step.gradients for name, step in made.items()}
    return changed


def unjudged(judge: Judge, mappings: dict[str, list[dict[str, str]]], names: set[str]) -> dict[str, Step]:
    """What containers hold that is none of the gradients judged, which are called `names`."""
    elements = set().union(*(mapping for options in mappings.values() for mapping in options))
    return {name: step for name, step in _made(judge, elements).items() if name not in names}


def _made(judge: Judge, names: set[str]) -> dict[str, Step]:
    """The last statement of the backward pass that took each of these elements out of its container."""
    taken = [s for s in judge.region.steps if s.statement.role == "element" and s.backward]
    return {name: step for step in taken for name in step.binds & names}


def _count_right(judge: Judge, made: dict[str, Step], mapping: dict[str, str]) -> int:
    _assign(made, mapping)
    chains = [chain for chain in chains_of(judge.region) if chain.name in made]
    judged = [judge.judge_once(chain) for chain in chains]
    return sum(judgement is not None and judgement.fault is None for judgement in judged)


def _assign(made: dict[str, Step], mapping: dict[str, str]) -> None:
    for name, step in made.items():
        step.gradients = {name: mapping[name]} if name in mapping else {}
        step.tainted = not step.gradients
