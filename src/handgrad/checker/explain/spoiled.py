"""Which statements spoil what others rely on: forward values, other gradients, and names."""

from collections.abc import Iterator

from handgrad.checker.explain.hazards import forgotten_letter, in_place_hazard, is_gradient_of, shadow_hazard
from handgrad.checker.judge.interpretation import Interpretation
from handgrad.checker.read.source import Statement
from handgrad.checker.read.spelling import number_of
from handgrad.checker.report import Hazard
from handgrad.checker.run.trace import Region, Step
from handgrad.checker.run.values import storage_of


def spoiled(judging: Interpretation) -> Iterator[tuple[Hazard, Statement]]:
    """The hazards of a region, each with its statement."""
    judge, region = judging.judge, judging.region
    forward = judge.truth.forward
    reached = {loss: forward.ancestors(loss) for loss in judge.truth.losses(forward)}
    gradients = {n for s in region.steps for n in s.gradients}
    reported: set[str] = set()
    arrays = judge.machine.follows_arrays
    copying = "copy" if arrays else "clone"
    latest: dict[str, int] = {}
    for step in region.steps:
        before = [loss for loss in reached if (loss.step.index if loss.step else -1) < step.index]
        used = {v: v.names for loss in before for v in reached[loss]}
        held = {n: v for v, names in used.items() for n, at in names.items() if at == latest.get(n, at)}
        names = [n for n in sorted(step.changes - step.turns) if n not in step.gradients and n not in reported]
        names = [n for n in names if n in held or n in gradients] if before else []
        names = [n for n in names if n in gradients or not held[n].root or step.gradients]
        if arrays:
            names = [n for n in names if (n in held and held[n].root) or _is_read_later(region, step, n)]
        for name in sorted(step.binds & held.keys() - step.gradients.keys()):
            if any(f"d{name}" in other.reads for other in region.steps):
                right = judge.truth.sweep(forward, before[-1])
                if is_gradient_of(step.after.get(name), right, held[name]):
                    yield forgotten_letter(step, name), step.statement
        latest.update({} if step.error else dict.fromkeys(step.writes, step.index))
        for name in _without_further_names(region, step, names):
            yield in_place_hazard(region, step, name, name in gradients, copying), step.statement
        reported.update(names)
    for judgement in judging.judgements:
        if judgement.rescued_by_clean:
            for name, step in judgement.plan.shadowed.items():
                if name not in reported:
                    reported.add(name)
                    yield shadow_hazard(step, name, judgement.chain), step.statement


def _is_read_later(region: Region, step: Step, name: str) -> bool:
    """Whether a statement after this one reads what a name stands for here; nobody compares arrays with autograd's."""
    for later in region.steps:
        if later.index > step.index:
            if name in later.reads:
                return True
            if name in later.binds:
                return False
    return False


def _without_further_names(region: Region, step: Step, names: list[str]) -> list[str]:
    """Of the names a statement changes, the first that each tensor was given."""
    bound = {name: i for i, earlier in enumerate(region.steps) for name in earlier.binds if earlier.index < step.index}
    latest_first = sorted(names, key=lambda name: (number_of(name) is not None, bound.get(name, -1)), reverse=True)
    first = {storage_of(step.after.get(name)) or name: name for name in latest_first}
    return [name for name in names if name in first.values()]
