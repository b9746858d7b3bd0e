"""Which learning rate and which minibatch belong to a step: functions of the step alone, so a run can be resumed."""

import numpy as np

from handgrad.training.config import TrainConfig
from handgrad.training.epochs import epoch_positions


def learning_rate(step: int, config: TrainConfig) -> float:
    """The learning rate of a step of this run: warm-up and linear decay for Adam, step decay for gradient descent."""
    if config.optimizer == "sgd":
        return step_decay(step, config.steps, config.lr)
    rising = round(config.warmup * config.steps)
    if step < rising:
        return config.lr * ((step + 1) / rising)
    return linear_decay(step - rising, config.steps - rising, config.lr)


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
