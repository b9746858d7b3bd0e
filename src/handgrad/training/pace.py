"""How many steps fit into a time: planned from the pace of the first ones, and planned again while a run trains."""

import time
from dataclasses import replace
from typing import NamedTuple

from handgrad.data.dataset import Splits
from handgrad.training import validation
from handgrad.training.backend import take
from handgrad.training.config import TrainConfig
from handgrad.training.state import Settings, State, initial_state

TRIED, TRIED_AT_LEAST_S = 0.03, 0.15
"""The share of the time that goes into steps whose pace alone counts, and the least such time."""
MARKS = (0.75, 0.5, 0.25, 0.1)
"""Where this share of the time is left, the number of steps is planned again."""
FEW = 2**10
"""Tokens on which compiled code is tried."""
LEAST = 50
"""Steps that are taken in any case: fewer learn nothing."""
NEAR = 0.03
"""A plan that is off by no more than this share of what is left stays."""
MEASURED = 2**19
"""Tokens of each split whose loss is measured in the end, which is all of it but in texts of more than 80,000 lines."""


class Fitting(NamedTuple):
    """What fits into a time.

    Args:
        steps: of training.
        finishing_s: seconds that are left for what comes after them.
    """

    steps: int
    finishing_s: float


def fitting(seconds: float, settings: Settings, splits: Splits) -> Fitting:
    """How many steps of this run take so many seconds, the losses measured meanwhile and in the end included.

    Compiling, which happens once on a machine, does not count.
    """
    state = take_some(initial_state(settings), settings, splits, 1)
    validation.validated(state, settings, splits)  # both are compiled now, and timed below
    started = time.monotonic()
    validation.validated(state, settings, splits)
    a_validation = time.monotonic() - started

    begun, first, chunk = time.monotonic(), state.step, 1
    while (taken := time.monotonic() - begun) < max(TRIED_AT_LEAST_S, TRIED * seconds):
        state, chunk = take_some(state, settings, splits, chunk), 2 * chunk
    a_step = taken / (state.step - first)

    read = min(len(splits.val), validation.TOKENS)
    finishing = a_validation * sum(min(len(part), MEASURED) for part in splits) / read
    left = seconds - (time.monotonic() - started) - finishing
    steps = max(LEAST, round(left / a_step))
    times = validation.times(replace(settings, config=replace(settings.config, steps=steps)), splits)
    return Fitting(max(LEAST, round((left - times * a_validation) / a_step)), finishing)


def compile_loops(settings: Settings, splits: Splits) -> float:
    """Have compiled what a run needs, where that has not been done on this machine; how many seconds it took."""
    begun, few = time.monotonic(), Splits(*(validation.head(part, FEW) for part in splits))
    if not is_to_compile(settings.config):
        return 0.0
    state = initial_state(settings)
    if not settings.model.counted:
        state = take_some(state, settings, few, 1)
    validation.validated(state, settings, few)
    return time.monotonic() - begun


def is_to_compile(config: TrainConfig) -> bool:
    """Whether the loops that the settings need have not been compiled on this machine."""
    if config.chosen_engine != "compiled":
        return False
    from handgrad.engine.compiling import is_compiled

    return not is_compiled(config.model)


def take_some(state: State, settings: Settings, splits: Splits, steps: int) -> State:
    """The state after some more steps."""
    stop = state.step + steps
    parameters, moments, _ = take(state, settings, splits.train, stop)
    return replace(state, step=stop, parameters=parameters, moments=moments)


class Pacer:
    """Keeps a run within its time.

    Args:
        ends: when the steps have to be done, on the clock of `time.monotonic`.
        step: the run's at the start.
        most: steps of the run, however much time there is.
    """

    def __init__(self, ends: float, step: int, most: int = 2**62):  # noqa: D107
        self._ends, self._most, self._marks = ends, most, list(MARKS)
        self._began = self._at = time.monotonic()
        self._step = step

    def adjusted(self, state: State) -> State:
        """The state whose schedule comes to its end in time, given the pace since the last mark."""
        now = time.monotonic()
        left, total = self._ends - now, self._ends - self._began
        if not self._marks or left > self._marks[0] * total or state.step == self._step:
            return state
        while self._marks and left <= self._marks[0] * total:
            self._marks.pop(0)
        pace = (state.step - self._step) / (now - self._at)
        self._at, self._step = now, state.step
        planned = state.schedule.stop - state.step
        fitting = max(1, min(self._most - state.step, max(LEAST - state.step, round(pace * left))))
        if planned < 1 or abs(fitting - planned) <= NEAR * fitting:
            return state
        return replace(state, schedule=state.schedule.until(state.step, state.step + fitting))
