"""The seeds of `handgrad train --runs N --address ADDRESS`, each trained by whichever worker of a cluster is free."""

from collections.abc import Callable

import numpy as np

from handgrad.errors import DivergedError, RunError
from handgrad.sweep.cost import seconds_a_step
from handgrad.sweep.driver import TRIES, WAIT_SECONDS
from handgrad.sweep.on_ray import RayWorkers
from handgrad.sweep.work import Done, keep, work_of
from handgrad.sweep.workers import Lost, Workers
from handgrad.training.loop import Progress, Report
from handgrad.training.run import Interrupted, Run, Text
from handgrad.training.runs import open_seed

REPORT_SECONDS = 2.0
"""Of one core, about: so long a worker works before its checkpoint comes back."""


def take_all_steps(whole: Run, address: str, progress: Callable[[int], Progress | None]) -> dict[int, DivergedError]:
    """As `handgrad.training.runs.take_all_steps`, on the workers of a cluster.

    Raises:
        ConfigError: the cluster cannot be reached.
        Interrupted: Ctrl-C; each run folder holds all but the last moment.
        RunError: a run folder cannot be written, or workers died at one again and again.
    """
    text = Text(whole.corpus, whole.settings.text, whole.splits)
    try:
        workers = RayWorkers(text, address, most=whole.settings.config.runs)
        try:
            return spread(whole, workers, progress)
        finally:
            workers.close()
    except KeyboardInterrupt:
        raise Interrupted(whole.folder, None) from None


def spread(whole: Run, workers: Workers, progress: Callable[[int], Progress | None]) -> dict[int, DivergedError]:
    """Have all seeds trained by the workers; the runs that stopped, by seed."""
    a_turn = max(1, round(REPORT_SECONDS / seconds_a_step(whole.settings, whole.splits)))
    runs = {str(seed): open_seed(whole, seed) for seed in whole.settings.config.seeds}
    told = {seed: progress(int(seed)) for seed in runs}
    waiting = [seed for seed, run in runs.items() if not run.state.is_done]
    deaths: dict[str, int] = dict.fromkeys(runs, 0)
    busy, diverged = 0, {}
    while waiting or busy:
        while waiting and workers.free():
            run = runs[seed := waiting.pop(0)]
            until = min(run.state.step + a_turn, run.state.schedule.stop)
            workers.begin(seed, work_of(seed, run.settings.config, run.folder, until, measure=False))
            busy += 1
        for seed, done in workers.ended(WAIT_SECONDS):
            busy -= 1
            if isinstance(done, Lost):
                deaths[seed] += 1
                if deaths[seed] == TRIES:
                    raise RunError(f"{TRIES} workers died at this run", where=runs[seed].folder, got=done.why)
            elif done.diverged:
                diverged[int(seed)] = DivergedError(done.diverged.removesuffix("."))
                continue
            else:
                runs[seed] = _kept(runs[seed], whole, done, told[seed])
            if not runs[seed].state.is_done:
                waiting.append(seed)
    return diverged


def _kept(before: Run, whole: Run, done: Done, told: Progress | None) -> Run:
    """The run with what a worker gave back."""
    keep(before.folder, done)
    now = open_seed(whole, before.settings.config.seed)
    state = now.state
    if told:
        val = float(state.validations[-1, 1]) if len(state.validations) else None
        losses = state.losses[before.state.step :] if state.step > before.state.step else np.zeros(1)
        told(Report(now.folder, state.step, state.schedule.stop, losses, val, state.schedule.rate(state.step - 1)))
    return now
