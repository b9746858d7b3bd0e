"""What `handgrad train` says of its result: whether it is any good, and what it cost."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from handgrad.cli.console import console, working

if TYPE_CHECKING:
    from handgrad.training.processes import Used
    from handgrad.training.run import Outcome, Run

NEAR = 0.005
"""In nats: a difference that is none."""


def show_together(used: "Used | None") -> None:
    """What it cost that several processes took the steps."""
    if used:
        cost = f"all-reduce {used.all_reduce:.0%} of a step, {used.bytes:,} bytes of each"
        console().print(f"{used.processes} processes, {cost}", style="dim")


def of_ngram(run: "Run") -> dict[str, float]:
    """The loss of an n-gram on the validation split, by its name."""
    from handgrad.training.baseline import ngram_loss

    with working("counting an n-gram to compare with"):
        return {"n-gram": ngram_loss(run.splits, run.settings.vocabulary, run.settings.text)}


def which_step(kept: int, last: int, stopped: bool) -> str:
    """Of which step the model is, and where training ended.

    >>> which_step(500, 2_000, stopped=False)
    'The model is that after step 500, the best on the validation split; training went on to step 2,000.'
    >>> which_step(500, 2_000, stopped=True)[68:]
    'training stopped at step 2,000, since it only got worse.'
    """
    ended = f"stopped at step {last:,}, since it only got worse" if stopped else f"went on to step {last:,}"
    return f"The model is that after step {kept:,}, the best on the validation split; training {ended}."


def stopped(run: "Run") -> bool:
    """Whether it ended before its steps did."""
    return run.state.schedule.legs[-1].peak == 0


def show_judgement(outcome: "Outcome", others: Mapping[str, float], vocab_size: int) -> None:
    """Whether the model is any better than what costs nothing."""
    loss, guessing = outcome.losses["val"], math.log(vocab_size)
    if loss > guessing:
        text = (
            f"Guessing would do better on the validation split ({guessing:.4f}): the text is too short or too mixed to "
            "learn from, the learning rate is too high, or the steps are too few."
        )
        console().print(text, style="yellow")
        return
    for name, other in others.items():
        if other < loss - NEAR:
            text = (
                f"The {name} alone does better on the validation split ({other:.4f}): more time may help, or fewer "
                "units, or a mixture of both, which 'handgrad train' makes without --model."
            )
            console().print(text, style="yellow")
