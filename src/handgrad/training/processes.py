"""The processes that take the steps of a run together, as `torchrun` starts them; mostly there is this one alone.

Process 0 does all that a run does: it reads the command, keeps the clock, saves, measures, prints. What it shares is
the taking of steps, of which the others know no more than they are told: which text, from which parameters, how many
steps at which rates. Each draws the same minibatches and takes its own share of them.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from handgrad.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from handgrad.training.config import TrainConfig
    from handgrad.training.state import Settings

Arrays = Mapping[str, np.ndarray]


class Start(NamedTuple):
    """From where steps are taken: after how many, with which parameters, and what Adam remembers."""

    step: int
    parameters: Arrays
    moments: Arrays


Taken = tuple[Arrays, Arrays, np.ndarray]
"""Parameters and moments after some steps, and the losses."""


@dataclass(frozen=True)
class Used:
    """What it cost to take steps together.

    Args:
        processes: that took them.
        all_reduce: the share of the time of a step that went into sums over all processes, waiting for them included.
        bytes: that a process put into these sums in a step.
    """

    processes: int
    all_reduce: float
    bytes: int


class Alone:
    """One process, which has all of every minibatch: what it shares is itself."""

    rank, many = 0, 1

    def share(self, n: int) -> slice:
        """Which of n examples are this process's."""
        return slice(0, n)

    def total(self, x: "Tensor") -> "Tensor":
        """The sum over the processes of what each has."""
        return x

    def summed(self, loss: "Tensor", gradients: "dict[str, Tensor]") -> "tuple[Tensor, dict[str, Tensor]]":
        """The sums over the processes of their shares of the loss and of each gradient."""
        return loss, gradients

    def settled(self, config: "TrainConfig") -> "TrainConfig":
        """The settings as the processes can train by them."""
        return config

    def gather(self, settings: "Settings") -> None:
        """Have all processes ready for the steps of a run."""

    def together(self, start: Start, rates: list[float], take: Callable[[], Taken]) -> Taken:  # noqa: ARG002
        """What `take` returns, while all take the same steps."""
        return take()

    @property
    def used(self) -> Used | None:
        """What it has cost so far; None where it costs nothing."""
        return None


ALONE = Alone()
_here: Alone = ALONE


def current() -> Alone:
    """The processes to which this one belongs."""
    return _here


def are_many() -> bool:
    """Whether `torchrun`, or who sets the same variables, has started several of this process."""
    return "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"


@contextmanager
def joined() -> Iterator[Alone]:
    """This process as one of those that were started together, until the block is left.

    Raises:
        ConfigError: they cannot be joined.
        ModuleNotFoundError: PyTorch is not installed.
    """
    global _here
    if not are_many():
        yield ALONE
        return
    from handgrad.training.joined import Joined

    processes = _here = Joined.from_environment()
    try:
        yield processes
    finally:
        _here = ALONE
        processes.leave()


def require_alone(of_parts: bool, where: str) -> None:
    """Make sure that one process trains what is of several parts.

    Raises:
        ConfigError: there are several.
    """
    if of_parts and current().many > 1:
        raise ConfigError(
            f"{current().many} processes share the minibatches of one network, and this is a mixture of several",
            where=where, expected="--model and the name of a family",
            next_step="Such as --model gru; or start one process, without torchrun.",
        )  # fmt: skip
