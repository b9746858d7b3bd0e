"""The search for other sizes: where a run fails, change the sizes that it met there, and see if it gets farther."""

from handgrad.derive.verify.layout import Layout
from handgrad.derive.verify.moves import Moves
from handgrad.derive.verify.running import Failure, Forward
from handgrad.derive.verify.sizes import Sizes, Trial, sizes_of


def other_sizes(forward: Forward, layout: Layout) -> list[Sizes]:
    """Two assignments of sizes other than the program's own, one where no second is found, none where none is.

    Args:
        forward: the lines.
        layout: the sizes in what they start from.
    """
    first = Trial(forward, layout, seed=0)
    if not first.slots:
        return []
    if not _solved(first) or len(first.fixed) == len(first.roots()):
        first = Trial(forward, layout, seed=0)
        first.tie_equal()
        if not _solved(first):
            return []
    second = Trial(forward, layout, seed=1, like=first)
    found = [second] if _solved(second) else [first]
    _free_numbers(found[0])
    third = Trial(forward, layout, seed=2, like=found[0], avoid=found[0])
    found += [third] if _solved(third) else []
    return [Sizes(trial.placed, trial.fixed_sizes()) for trial in found]


def _solved(trial: Trial) -> bool:
    """Whether sizes are found at which all lines run."""
    failure = _run(trial)
    while failure is not None:
        farther = _past(trial, failure)
        if farther is failure:
            return False
        failure = farther
    return True


def _run(trial: Trial) -> Failure | None:
    """A run, where what was computed from other sizes is computed anew as often as it is out of date."""
    failure = trial.run()
    for _ in range(3):
        moves = [] if failure is None else Moves(trial, failure).equations(trial.derived)
        if failure is None or not moves:
            break
        before = trial.state
        moves[0]()
        again = trial.run()
        if again is not None and again.progress <= failure.progress:
            trial.state = before
            break
        failure = again
    return failure


def _past(trial: Trial, failure: Failure) -> Failure | None:
    """What comes of the first change after which a run gets farther; the same failure where none does."""
    for move in Moves(trial, failure).all():
        if trial.spent:
            return failure
        before = trial.state
        move()
        reached = _run(trial)
        if reached is None or reached.progress > failure.progress:
            return reached
        trial.state = before
    return failure


def _free_numbers(trial: Trial) -> None:
    """Give numbers that decide on a shape, such as a count of heads, a size of their own where the lines allow it.

    A number that decides on no shape, such as the n of a mean, goes with the dimension that it is the size of.
    """
    made = {name for step in trial.forward.steps for name in step.makes}
    for slot in [slot for slot in trial.order if slot.kind == "int"]:
        if any(root.size % slot.size == 0 and root.size > slot.size for root in trial.roots()):
            before, trial.freeing = trial.state, slot
            alone = trial.give_alone(slot)
            decides = trial.run() is not None
            decides = _solved(trial) and (decides or any(alone in sizes_of(trial.env.get(name)) for name in made))
            trial.state = trial.state if decides else before
    trial.freeing = None
    trial.run()
