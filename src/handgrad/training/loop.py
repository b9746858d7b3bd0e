"""Taking the steps of a run, some at a time, and saving it now and then."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from handgrad import ctrl_c
from handgrad.data.dataset import Dataset
from handgrad.errors import ConfigError, ProcessLost
from handgrad.integers import read_integer
from handgrad.training import validation
from handgrad.training.backend import take
from handgrad.training.duration import seconds_of
from handgrad.training.pace import Pacer
from handgrad.training.run import Interrupted, Run, diverged, save
from handgrad.training.state import Settings, State

SECONDS_A_CHUNK = 0.1


@dataclass(frozen=True)
class Report:
    """How a run goes.

    Args:
        folder: of the run, or of the part or the seed of one.
        step: steps done.
        steps: of the run as it is planned now.
        losses: of the newest of the steps done, in nats, one minibatch each.
        val_loss: of the validation split as it was last measured, in nats; None before.
        lr: the learning rate of the last step.
    """

    folder: Path
    step: int
    steps: int
    losses: np.ndarray
    val_loss: float | None
    lr: float


class Progress(Protocol):
    """What `train` calls every third of a second or so of training."""

    def __call__(self, report: Report) -> None:
        """Some more steps are done."""


@dataclass(frozen=True)
class Every:
    """How often to save: after so many steps, or after so many seconds."""

    steps: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str | int) -> "Every":
        """Read '1000', '10k' or 1000 as steps, and '30s' or '5m' as seconds.

        Raises:
            ConfigError: it is neither.

        Example:
            >>> Every.parse("30s")
            Every(steps=None, seconds=30.0)
        """
        word = str(text).strip()
        try:
            every = cls(seconds=seconds_of(word)) if word.endswith(("s", "m", "h")) else cls(steps=read_integer(word))
        except (ConfigError, ValueError):
            every = cls()
        if not (every.steps or every.seconds or 0) > 0:
            raise ConfigError(
                "checkpoint_every makes no sense", got=repr(text), expected="steps such as 1000, or seconds such as 30s"
            )
        return every

    def due(self, steps: int, seconds: float) -> bool:
        """Whether it is time, so many steps and seconds after the last one."""
        return steps >= self.steps if self.steps else seconds >= (self.seconds or 0)


def take_steps(
    run: Run, every: Every, progress: Progress | None = None, pacer: Pacer | None = None, until: int | None = None
) -> Run:
    """Train to the last step, or until another, saving now and then and on Ctrl-C.

    Args:
        run: to train.
        every: how often it is saved.
        progress: what is told how it goes.
        pacer: keeps it within its time, if there is any.
        until: so many steps are done; the state is that on the way to the last.

    Raises:
        DivergedError: a loss is not finite; the run folder keeps the last good checkpoint.
        Interrupted: Ctrl-C; the run folder holds all but the last moment.
        ProcessLost: of several processes that train together one has ended; the run folder holds what was done before.
    """
    settings, splits, state = run.settings, run.splits, run.state
    saved, chunk, gap = state.step, 1, validation.gap(settings, splits)
    begun = saved_at = time.monotonic()
    try:
        while not state.is_done and (until is None or state.step < until):
            before, now = state.step, time.monotonic()
            next_validation = before - before % gap + gap
            last = min(state.schedule.stop, until or 2**62)
            stop = min(before + chunk, last, saved + (every.steps or 2**62), next_validation)
            advanced = advance(state, settings, splits.train, stop)
            seconds = time.monotonic() - now
            if stop == next_validation or advanced.is_done:
                advanced = validation.validated(advanced, settings, splits)
            state = pacer.adjusted(advanced) if pacer else advanced
            if progress:
                progress(_report(run.folder, state, before))
            if ctrl_c.pressed:
                raise KeyboardInterrupt
            if every.due(stop - saved, time.monotonic() - saved_at):
                save(replace(run, state=state, seconds=run.seconds + time.monotonic() - begun))
                saved, saved_at = stop, time.monotonic()
            chunk = max(1, min(2 * chunk, int((stop - before) * SECONDS_A_CHUNK / max(seconds, 1e-6))))
    except (KeyboardInterrupt, ProcessLost) as error:
        if state.step > saved:
            save(replace(run, state=state, seconds=run.seconds + time.monotonic() - begun))
        stopped = Interrupted(run.folder, state.step)
        if isinstance(error, ProcessLost):
            raise ProcessLost(error.what, next_step=str(stopped)) from None
        raise stopped from None
    return replace(run, state=state, seconds=run.seconds + time.monotonic() - begun)


def advance(state: State, settings: Settings, train_split: Dataset, stop: int) -> State:
    """The state after the steps up to `stop`: a function of its arguments, however the steps are cut into pieces.

    Raises:
        DivergedError: a loss or a parameter is no longer finite.
    """
    config = settings.config
    parameters, moments, new = take(state, settings, train_split, stop)
    losses, finite = np.append(state.losses, new), np.isfinite(new)
    if not finite.all():
        step = state.step + int(np.argmin(finite))
        raise diverged("the loss", losses[step], losses[:step], config)
    wrong = [value[~np.isfinite(value)] for value in parameters.values() if not np.isfinite(value).all()]
    if wrong:
        raise diverged("a parameter", wrong[0][0], losses, config)
    return replace(state, step=stop, parameters=parameters, moments=moments, losses=losses)


def _report(folder: Path, state: State, since: int) -> Report:
    val_loss = float(state.validations[-1, 1]) if len(state.validations) else None
    lr = state.schedule.rate(state.step - 1)
    return Report(folder, state.step, state.schedule.stop, state.losses[since:], val_loss, lr)
