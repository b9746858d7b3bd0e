"""Training steps of compiled models, on NumPy arrays: what is the same whatever a minibatch is made of."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from handgrad.engine.flat import Layout, rows_apart
from handgrad.engine.kernels.steps import take_steps
from handgrad.engine.kernels.update import adam, descend
from handgrad.engine.registers import STEP
from handgrad.engine.tape import (
    Buffer,
    Operation,
    Register,
    Tape,
)
from handgrad.engine.training import BETA2, EPS, MOMENTS, PRODUCTS_A_CALL
from handgrad.engine.vectors import aligned_zeros

Arrays = Mapping[str, np.ndarray]


class Dropping(NamedTuple):
    """Which numbers dropout leaves out; see `handgrad.training.masks`.

    Args:
        share: how many; 0 for none.
        seed: of the run.
        first: the number of the first step.
    """

    share: float = 0.0
    seed: int = 0
    first: int = 0


NOTHING = Dropping()


class Room:
    """Arrays for minibatches with at most so many targets, and the registers that say how many there are.

    Args:
        n_targets: of a minibatch, at most.
        dropping: what dropout leaves out.
        registers: how many.
    """

    def __init__(self, n_targets: int, dropping: Dropping, registers: int):  # noqa: D107
        self.n_targets, self.dropping = n_targets, dropping
        self.registers = np.zeros(registers, np.int64)
        self.targets, self.loss = Buffer(np.zeros(n_targets, np.int32)), np.zeros(1, np.float32)
        self.update: Callable[[str], list[Operation]] = lambda _: []
        """What becomes of the parameter of that name once its gradient is there, and nothing reads it any more.

        It need not be used: what is left is done at the end.
        """
        self.levels: np.ndarray
        """The first node of each level, and how many nodes there are."""
        self.counts: Buffer
        """How many targets each node has."""
        self.places: Buffer
        """The node of each target."""

    def rows(self, columns: int, more: int = 0) -> Buffer:
        """As many rows as there may be targets, and some more."""
        return Buffer(rows_apart(self.n_targets + more, columns))

    def numbers(self) -> Buffer:
        """As many numbers as there may be targets."""
        return Buffer(aligned_zeros(self.n_targets))


class Passes(NamedTuple):
    """What a model does with a minibatch.

    Args:
        before: once, at first.
        level: for each level of the tree, from its root on, where there is one.
        between: once; the loss, and what the way back begins with.
        back: for each level, from the leaves on.
        after: once, at last.
    """

    before: list[Operation]
    level: list[Operation]
    between: list[Operation]
    back: list[Operation]
    after: list[Operation]


class Reading(NamedTuple):
    """How a model reads the next token; see `Reader` of `handgrad.engine.models.lines` and of `contexts` beside it.

    Args:
        operations: that do it. The lines are nodes, and their parents rows of those that were read before.
        log_probabilities: where they leave those of the token that follows, a row for each node.
        is_kept: whether the rows of all nodes read so far are kept, not only those of the last token.
    """

    operations: list[Operation]
    log_probabilities: np.ndarray
    is_kept: bool = False


class Minibatches(Protocol):
    """What some steps read."""

    @property
    def n_steps(self) -> int:
        """How many there are."""
        ...


Batches = TypeVar("Batches", bound=Minibatches)
Work = TypeVar("Work", bound=Room)


@dataclass(frozen=True)
class Compiled(ABC, Generic[Batches, Work]):
    """The compiled form of a model.

    Args:
        layout: of the parameters.
        never: the name of the vector added to the scores; None where none is trained.
        passes: makes of parameters and gradients, views by name, and of work what is done with a minibatch.
        reading: makes of parameters and work what reads lines or contexts.
        products: multiplications for each target, about.
        vocab_size: of the tokens.
        beta1: of Adam.
    """

    layout: Layout
    never: str | None
    passes: Callable[[SimpleNamespace, SimpleNamespace, Work], Passes]
    reading: Callable[[SimpleNamespace, Work], Reading]
    products: int
    vocab_size: int
    beta1: float = 0.9

    @property
    @abstractmethod
    def decaying(self) -> int:
        """So many of the numbers laid out, the first ones, are those that decay."""

    @abstractmethod
    def work(self, batches: Batches, dropping: Dropping) -> tuple[Work, list[Operation]]:
        """Room for the largest of the minibatches, and what reads that of a step."""

    def sgd_steps(
        self, parameters: Arrays, batches: Batches, rates: Sequence[float], dropping: Dropping = NOTHING
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Take one step of gradient descent a minibatch: as in `handgrad.training.torch_steps`, compiled.

        Args:
            parameters: float32 arrays by name; they are not changed.
            batches: what the steps read.
            rates: (steps,) learning rates.
            dropping: what dropout leaves out.

        Returns:
            The new parameters, and the losses, (steps,) float32 in nats, each before its step.

        Raises:
            IndexError: a token is not a letter of the vocabulary.
            ValueError: a line is longer than the model reads, or shapes do not fit.
        """
        flat = self.layout.pack(parameters, self.never)
        gradient = np.zeros_like(flat)

        def update(part: slice, rate: np.ndarray) -> list[Operation]:
            return [descend(flat[part], gradient[part], rate)]

        losses = self._take(flat, gradient, update, batches, rates, dropping)
        return self.layout.unpack(flat), losses

    def adam_steps(
        self,
        parameters: Arrays,
        moments: Arrays,
        batches: Batches,
        rates: Sequence[float],
        weight_decay: float = 0.0,
        dropping: Dropping = NOTHING,
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
        """Take one step of Adam with decoupled weight decay a minibatch.

        Args:
            parameters: as in `sgd_steps`.
            moments: from `handgrad.engine.training.no_moments`, or returned by the call before.
            batches: as in `sgd_steps`.
            rates: as in `sgd_steps`.
            weight_decay: the part of each number that decays that is lost in a step, in units of the rate.
            dropping: as in `sgd_steps`.

        Returns:
            The new parameters, the new moments, and the losses, the same however the steps are cut into calls.

        Source: Kingma and Ba 2015, arXiv:1412.6980; Loshchilov and Hutter 2019, arXiv:1711.05101.
        """
        flat, done = self.layout.pack(parameters, self.never), int(moments["steps"])
        mean, square = (self.layout.pack({name: moments[f"{kind}_{name}"] for name in parameters}) for kind in MOMENTS)
        gradient = np.zeros_like(flat)

        def update(part: slice, rate: np.ndarray) -> list[Operation]:
            now = Register(STEP, done), float(self.beta1), BETA2, EPS
            decay = float(weight_decay) if part.stop <= self.decaying else 0.0
            return [adam(*(array[part] for array in (flat, gradient, mean, square)), rate, *now, decay)]

        losses = self._take(flat, gradient, update, batches, rates, dropping)
        new_moments = {"steps": np.array(done + len(losses))}
        for kind, values in zip(MOMENTS, (mean, square), strict=True):
            new_moments |= {f"{kind}_{name}": value for name, value in self.layout.unpack(values).items()}
        return self.layout.unpack(flat), new_moments, losses

    def loss_and_gradients(
        self, parameters: Arrays, batches: Batches, dropping: Dropping = NOTHING
    ) -> tuple[float, dict[str, np.ndarray]]:
        """The mean loss of one minibatch, and the gradients of the parameters by name."""
        flat = self.layout.pack(parameters, self.never)
        gradient = np.zeros_like(flat)
        losses = self._take(flat, gradient, lambda *_: [], batches, [0.0], dropping)
        return float(losses[0]), self.layout.unpack(gradient)

    def _take(
        self,
        flat: np.ndarray,
        gradient: np.ndarray,
        update: Callable[[slice, np.ndarray], list[Operation]],
        batches: Batches,
        rates: Sequence[float],
        dropping: Dropping,
    ) -> np.ndarray:
        """Change what the update changes step by step; the losses."""
        if len(rates) != batches.n_steps:
            raise ValueError(f"the shapes do not fit: {batches.n_steps} minibatches, rates ({len(rates)},)")
        (work, reading), rate = self.work(batches, dropping), np.zeros(1, np.float32)
        left = set(self.layout.blocks)

        def update_of(name: str) -> list[Operation]:
            left.remove(name)
            return [operation for part in self.layout.parts([name]) for operation in update(part, rate)]

        work.update = update_of
        passes = self.passes(self.views(flat), self.views(gradient), work)
        at_last = [operation for part in self.layout.parts(left) for operation in update(part, rate)]
        parts = reading + passes.before, passes.level, passes.between, passes.back, passes.after + at_last
        tapes = [Tape(part, work.registers) for part in parts]
        losses, all_rates = np.empty(len(rates), np.float32), np.asarray(rates, np.float32)
        at_once = max(1, int(PRODUCTS_A_CALL / (3 * self.products * work.n_targets)))
        for start in range(0, len(rates), at_once):
            steps = range(start, min(start + at_once, len(rates)))
            now = take_steps(
                *(tape.rows for tape in tapes), work.registers, work.levels, all_rates, rate, work.loss, losses,
                steps.start, steps.stop,
            )  # fmt: skip
            Tape([now], work.registers).run()
        return losses

    def views(self, flat: np.ndarray) -> SimpleNamespace:
        """Parameters, or their gradients, by name."""
        return SimpleNamespace(**self.layout.views(flat))
