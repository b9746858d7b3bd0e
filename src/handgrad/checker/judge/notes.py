"""What the user should know of how a region was judged: which scalar is the loss, and by what."""

from collections.abc import Iterator

from handgrad.checker.judge.interpretation import Interpretation
from handgrad.checker.read.spelling import LOSS
from handgrad.checker.run.trace import Trace
from handgrad.checker.truth.compare import agrees
from handgrad.checker.truth.passes import Value
from handgrad.checker.truth.reference import run_forward
from handgrad.checker.truth.truth import Truth


def notes(trace: Trace, found: Interpretation) -> Iterator[str]:
    """The sentences about one region."""
    if not found.judge.truth.assumptions.epsilons:
        yield "the tiny number in a logarithm, which keeps it finite, is left out of what is differentiated."
    yield from _losses(trace, found)
    yield from _functions(found)


def losses_of(trace: Trace, found: Interpretation) -> list[Value]:
    """The losses; where it is not clear which scalars are, that to which most gradients belong comes first."""
    truth = found.judge.truth
    losses = truth.losses(truth.own)
    taken = [truth.located(chain)[0].name for chain in found.chains]
    if taken and _is_unclear(trace, losses):
        losses.sort(key=lambda loss: loss.name != max(taken, key=taken.count))
    return losses


def _is_unclear(trace: Trace, losses: list[Value]) -> bool:
    names = {loss.name for loss in losses}
    return len(set(map(trace.shown, names))) > 1 and not (names | set(map(trace.shown, names))) & trace.evident


def _losses(trace: Trace, found: Interpretation) -> Iterator[str]:
    """A note for each scalar that is taken to be the loss where another may be it."""
    truth, losses = found.judge.truth, losses_of(trace, found)
    if found.judgements and _is_unclear(trace, losses):
        name = trace.shown(losses[0].name)
        others = ", ".join(other for loss in losses[1:] if (other := trace.shown(loss.name)) != name)
        yield f"{name} is taken to be the loss, not {others} (--loss NAME)."
    elif others := _others(found):
        loss = truth.located(found.chains[0])[0]
        named = " or ".join(f"{trace.shown(one.name)} ({one.step.statement.place})" for one in others if one.step)
        where = f" ({loss.step.statement.place})" if loss.step else ""
        yield f"{trace.shown(loss.name)}{where} is taken to be the loss, not {named} (--loss NAME)."
    for whole in truth.wholes:
        known = set(trace.losses) - whole.names.keys()
        parts = {trace.shown(v.name) for v in truth.forward.ancestors(whole) if v.names.keys() & known} - {""}
        one, other = trace.shown(whole.name), " and ".join(sorted(parts))
        if not truth.assumptions.wholes:
            one, other = other, one
        if parts:
            yield f"{one} is taken to be the loss, not {other} (--loss NAME)."


def _others(found: Interpretation) -> list[Value]:
    """The losses besides the one that all gradients belong to, which are neither a part of it nor made of it."""
    truth = found.judge.truth
    taken = {truth.located(chain)[0] for chain in found.chains}
    if len(taken) != 1:
        return []
    (loss,) = taken
    if not LOSS.search(loss.name) or loss.names.keys() & found.judge.trace.certain:  # more than its name tells
        return []
    within = truth.forward.ancestors
    named = (one for one in truth.losses(truth.forward) if one is not loss and one.step and LOSS.search(one.name))
    return [one for one in named if one not in within(loss) and loss not in within(one)]


def _functions(found: Interpretation) -> Iterator[str]:
    """A note where a backward half of the user's is not what follows from its forward half."""
    truth = found.judge.truth
    if doubted := _doubted_functions(truth):
        judged_by = "forward" if truth.assumptions.derived else "backward"
        yield (
            f"the backward of {', '.join(sorted(doubted))} is not the derivative of its forward; gradients are judged "
            f"by its {judged_by} (handgrad.check tells more)."
        )


def _doubted_functions(truth: Truth) -> set[str]:
    """The user's autograd Functions, where what they return is not the gradient of what they compute."""
    if truth.assumptions.derived and not truth.forward.functions:
        return set()
    other = run_forward(truth.machine, truth.region, double=truth.double, derived=not truth.assumptions.derived)
    for loss, same in zip(truth.losses(truth.forward), truth.losses(other), strict=False):
        mine, its = list(truth.sweep(truth.forward, loss).values()), list(truth.sweep(other, same).values())
        pairs = zip(its, mine, strict=False)
        if len(mine) != len(its) or not all(agrees(a, b, 1e-9, truth.tolerance) for a, b in pairs):
            return truth.forward.functions | other.functions
    return set()
