"""Which trials of a round go on: at each rung the better half, as asynchronous successive halving (ASHA) has it.

Here all of a round are compared at once, in the order of their numbers, so that who goes on depends on no clock.

Source: Jamieson and Talwalkar 2016, arXiv:1502.07943, for successive halving; Li et al. 2020, arXiv:1810.05934.
"""

from collections.abc import Iterable
from dataclasses import replace

from handgrad.sweep.trials import SHARES, Trial


def judged(round_: Iterable[Trial]) -> list[Trial]:
    """The trials of a round, those stopped that are not among the better half at a rung to which all have come.

    The default recipe always goes on beside them: it is what the others are measured by.

    Example:
        >>> from handgrad.sweep.trials import Trial, with_rung
        >>> from handgrad.training.config import TrainConfig
        >>> config = TrainConfig(steps=100)
        >>> trials = [with_rung(Trial(number, 0, "search", {}, config, 25), 3 - number) for number in (0, 1)]
        >>> [trial.status for trial in judged(trials)]
        ['stopped', 'running']
    """
    trials = list(round_)
    for stage in range(len(SHARES) - 1):
        here = [trial for trial in trials if trial.is_running or len(trial.rungs) > stage or trial.status == "finished"]
        if any(trial.is_running and len(trial.rungs) <= stage for trial in here):
            break
        most = -(-len(trials) // 2 ** (stage + 1))
        ranked = sorted(here, key=lambda trial: (trial.loss_at(stage), trial.number))
        go_on = {trial.number for trial in ranked[:most]}
        trials = [
            replace(trial, status="stopped")
            if trial.is_running and trial.number not in go_on and trial.origin != "default"
            else trial
            for trial in trials
        ]
    return trials


def goal(trial: Trial, round_: list[Trial]) -> int | None:
    """To which step a trial may go now; None where it has come to its end, or others of its round are awaited."""
    stage = len(trial.rungs)
    if not trial.is_running:
        return None
    if any(other.is_running and len(other.rungs) < stage for other in round_):
        return None
    return trial.stages[stage]
