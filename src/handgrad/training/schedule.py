"""Which learning rate and which minibatch belong to a step: functions of the step alone, so a run can be resumed."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from handgrad.training.config import Optimizer, TrainConfig
from handgrad.training.epochs import epoch_positions

FURTHER_PEAK = 0.5
"""Of the first leg's greatest rate: that of a leg which goes on from a finished run."""


@dataclass(frozen=True)
class Leg:
    """Steps over which the learning rate rises once, if at all, and falls.

    Args:
        first: its first step.
        stop: the step at which its rate ends; the next leg may begin before.
        rising: in so many steps the rate rises to `peak`.
        peak: its greatest rate.
    """

    first: int
    stop: int
    rising: int
    peak: float


@dataclass(frozen=True)
class Schedule:
    """The learning rate of every step of a run: one leg as it was planned, more where the plan was changed.

    Args:
        optimizer: on which it depends how the rate falls.
        legs: each holds from its first step to that of the next.

    Example:
        >>> schedule = Schedule.planned(TrainConfig(steps=1_000, lr=0.5, warmup=0.0))
        >>> schedule.rate(0), schedule.rate(500)
        (0.5, 0.25)
        >>> shorter = schedule.until(500, 600)
        >>> shorter.stop, shorter.rate(500), shorter.rate(550)
        (600, 0.25, 0.125)
    """

    optimizer: Optimizer
    legs: tuple[Leg, ...]

    @classmethod
    def planned(cls, config: TrainConfig) -> "Schedule":
        """That of a run which goes as planned: warm-up and linear decay for Adam, step decay for gradient descent."""
        rising = round(config.warmup * config.steps) if config.optimizer == "adam" else 0
        return cls(config.optimizer, (Leg(0, config.steps, rising, config.lr),))

    @property
    def stop(self) -> int:
        """How many steps there are."""
        return self.legs[-1].stop

    @property
    def risen_again(self) -> int:
        """The step at which a run that goes on behind its end is at its greatest rate again; 0 where none did.

        >>> schedule = Schedule.planned(TrainConfig(steps=1_000))
        >>> schedule.risen_again, schedule.until(1_000, 1_500).risen_again
        (0, 1050)
        """
        further = [leg for before, leg in pairwise(self.legs) if leg.first >= before.stop]
        return further[-1].first + further[-1].rising if further else 0

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        leg = next(leg for leg in reversed(self.legs) if leg.first <= step)
        done = step - leg.first
        if self.optimizer == "sgd":
            return step_decay(done, leg.stop - leg.first, leg.peak)
        if done < leg.rising:
            return leg.peak * ((done + 1) / leg.rising)
        return linear_decay(done - leg.rising, leg.stop - leg.first - leg.rising, leg.peak)

    def until(self, step: int, stop: int) -> "Schedule":
        """The schedule that, from `step` on, comes to its end at another `stop`.

        Behind its end it rises again, to half of its greatest rate, and falls: a warm restart.

        Source: Loshchilov and Hutter 2017, arXiv:1608.03983, for the restart.
        """
        last = self.legs[-1]
        if step == stop:
            return replace(self, legs=(*self.legs, Leg(step, step, 0, 0.0)))
        if step >= self.stop:
            share = self.legs[0].rising / max(1, self.legs[0].stop)
            peak = FURTHER_PEAK * self.legs[0].peak
            return replace(self, legs=(*self.legs, Leg(step, stop, round(share * (stop - step)), peak)))
        if step < last.first + last.rising:
            return replace(self, legs=(*self.legs[:-1], replace(last, stop=max(stop, last.first + last.rising + 1))))
        return replace(self, legs=(*self.legs, Leg(step, stop, 0, self.rate(step))))


def linear_decay(step: int, steps: int, lr: float) -> float:
    """From `lr` at step 0 in a straight line to 0 at the end of the steps.

    Example:
        >>> linear_decay(0, 1_000, 0.5), linear_decay(500, 1_000, 0.5)
        (0.5, 0.25)
    """
    return lr * (1 - step / steps)


def step_decay(step: int, steps: int, lr: float) -> float:
    """`lr` for the first half of the steps, a tenth of it afterwards.

    Source: lecture, exercise 4 (0.1 below step 100,000 of 200,000, then 0.01).

    Example:
        >>> step_decay(99_999, 200_000, 0.1), step_decay(100_000, 200_000, 0.1)
        (0.1, 0.01)
    """
    return lr if step < steps / 2 else lr / 10


def examples_of(config: TrainConfig, steps: range, n_examples: int) -> np.ndarray:
    """Which of so many examples, (len(steps), batch_size), the given steps of this run see."""
    if config.minibatches == "in-order":
        numbers = np.arange(steps.start * config.batch_size, steps.stop * config.batch_size)
        return (numbers % n_examples).reshape(len(steps), config.batch_size)
    draw = {"epochs": epoch_positions, "replacement": minibatch_positions}[config.minibatches]
    return draw(config.seed, steps, config.batch_size, n_examples)


def minibatch_positions(seed: int, steps: range, batch_size: int, n_examples: int) -> np.ndarray:
    """Which examples the given steps see, drawn uniformly with replacement.

    One Philox stream belongs to each seed and every step reads its own words of it, so the result depends on nothing
    but the arguments. A 32-bit word w becomes the position ⌊w · n_examples / 2³²⌋.

    Args:
        seed: of the run.
        steps: the steps wanted, consecutive.
        batch_size: positions for each step.
        n_examples: positions run from 0 up to this, at most 2³².

    Returns:
        (len(steps), batch_size) int64.

    Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".

    Example:
        >>> both = minibatch_positions(1, range(0, 2), batch_size=3, n_examples=100)
        >>> bool((both[1:] == minibatch_positions(1, range(1, 2), batch_size=3, n_examples=100)).all())
        True
    """
    counters_a_step = -(-batch_size // 4)
    stream = np.random.Philox(key=seed, counter=steps.start * counters_a_step)
    words = stream.random_raw(len(steps) * counters_a_step * 4).reshape(len(steps), -1)[:, :batch_size]
    return ((words >> np.uint64(32)) * np.uint64(n_examples) >> np.uint64(32)).astype(np.int64)
