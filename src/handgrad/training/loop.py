"""Taking the steps of a run, some at a time, and saving it now and then."""

import math
import time
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from handgrad import ctrl_c
from handgrad.data.dataset import Dataset
from handgrad.errors import ConfigError
from handgrad.training.backend import take
from handgrad.training.run import Interrupted, Run, diverged, save
from handgrad.training.state import Settings, State

SECONDS_A_CHUNK = 0.1


class Progress(Protocol):
    """What `train` calls every third of a second or so of training."""

    def __call__(self, step: int, losses: np.ndarray) -> None:
        """`step` steps are done; `losses`, in nats, are those of the newest of them."""


@dataclass(frozen=True)
class Every:
    """How often to save: after so many steps, or after so many seconds."""

    steps: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str | int) -> "Every":
        """Read '1000' or 1000 as steps, and '30s' as seconds.

        Raises:
            ConfigError: it is neither.

        Example:
            >>> Every.parse("30s")
            Every(steps=None, seconds=30.0)
        """
        word = str(text).strip()
        try:
            every = cls(seconds=float(word[:-1])) if word.endswith("s") else cls(steps=int(word))
        except ValueError:
            every = cls()
        if not 0 < (every.steps or every.seconds or 0) < math.inf:
            raise ConfigError(
                "checkpoint_every makes no sense", got=repr(text), expected="steps such as 1000, or seconds such as 30s"
            )
        return every

    def due(self, steps: int, seconds: float) -> bool:
        """Whether it is time, so many steps and seconds after the last one."""
        return steps >= self.steps if self.steps else seconds >= (self.seconds or 0)


def take_steps(run: Run, every: Every, progress: Progress | None = None) -> Run:
    """Train to the last step, saving now and then and on Ctrl-C.

    Raises:
        DivergedError: a loss is not finite; the run folder keeps the last good checkpoint.
        Interrupted: Ctrl-C; the run folder holds all but the last moment.
    """
    config, state = run.settings.config, run.state
    saved, chunk = state.step, 1
    saved_at = time.monotonic()
    try:
        while state.step < config.steps:
            before, begun = state.step, time.monotonic()
            stop = min(state.step + chunk, config.steps, saved + (every.steps or config.steps))
            state = advance(state, run.settings, run.splits.train, stop)
            now = time.monotonic()
            if progress:
                progress(stop, state.losses[before:stop])
            if ctrl_c.pressed:
                raise KeyboardInterrupt
            if every.due(stop - saved, now - saved_at):
                save(replace(run, state=state))
                saved, saved_at = stop, time.monotonic()
            chunk = max(1, min(2 * chunk, int((stop - before) * SECONDS_A_CHUNK / max(now - begun, 1e-6))))
    except KeyboardInterrupt:
        if state.step > saved:
            save(replace(run, state=state))
        raise Interrupted(run.folder, state.step) from None
    return replace(run, state=state)


def advance(state: State, settings: Settings, train_split: Dataset, stop: int) -> State:
    """The state after the steps up to `stop`: a function of its arguments, however the steps are cut into pieces.

    Raises:
        DivergedError: a loss or a parameter is no longer finite.
    """
    config = settings.config
    parameters, moments, losses = take(state, settings, train_split, stop)
    state.losses[state.step : stop] = losses
    finite = np.isfinite(losses)
    if not finite.all():
        step = state.step + int(np.argmin(finite))
        raise diverged("the loss", state.losses[step], state.losses[:step], config)
    wrong = [value[~np.isfinite(value)] for value in parameters.values() if not np.isfinite(value).all()]
    if wrong:
        raise diverged("a parameter", wrong[0][0], state.losses[:stop], config)
    return State(stop, parameters, moments, state.losses)
