"""The driver of a sweep: it proposes rounds of trials, gives their steps to workers, and writes down what comes back.

Who is faster changes nothing but the order in which things are done: what is tried, and which trials go on, follow from
losses alone.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from handgrad import ctrl_c
from handgrad.errors import RunError
from handgrad.sweep import records
from handgrad.sweep.cost import seconds_a_step
from handgrad.sweep.halving import goal, judged
from handgrad.sweep.records import Asked
from handgrad.sweep.search import Maker, propose
from handgrad.sweep.space import read
from handgrad.sweep.trials import Trial, rounds_of, with_rung
from handgrad.sweep.work import Done, Work, keep, work_of
from handgrad.sweep.workers import Lost, Workers
from handgrad.training.run import Text, prepared

CHECKPOINT_SECONDS = 10.0
"""Of one core, about: so long a worker works before its checkpoint comes back."""
TRIES = 3
"""With how many workers the same steps are tried, if each dies."""
WAIT_SECONDS = 0.2
BEFORE = 2
"""A round is proposed from what came of the rounds up to so many before it."""
EXPECTED = 0.5
"""The share of its steps that a trial takes in the mean, since most are stopped."""
BEST = 3
"""So many of the best are trained with further seeds."""

Told = Callable[["Sweep"], None]


class Sweep:
    """A sweep and its trials, in its folder.

    Args:
        folder: that was made by `records.create`.
        text: that is trained on.
    """

    def __init__(self, folder: Path, asked: Asked, text: Text):  # noqa: D107
        self.folder, self.asked, self.text = folder, asked, text
        self.maker, self.space = Maker(text, asked.budget, asked.seed), read(asked.space, records.SWEEP)
        self.trials = {trial.name: trial for trial in records.read_trials(folder)}
        self.is_exhausted = False
        self.deaths: dict[str, int] = {}
        self._cost: dict[str, float] = {}

    @property
    def rounds(self) -> dict[int, list[Trial]]:
        """The trials of each round."""
        return rounds_of(list(self.trials.values()))

    def cost(self, trial: Trial) -> float:
        """Seconds of one core that all its steps take, about."""
        if trial.name not in self._cost:
            settings = prepared(self.text, trial.config)
            counted = settings.model.counted
            a_step = 0.0 if counted else seconds_a_step(settings, self.text.splits)
            self._cost[trial.name] = max(trial.config.steps * a_step, 1e-3)
        return self._cost[trial.name]

    def put(self, trial: Trial) -> None:
        """Write down how far a trial has come."""
        if trial != self.trials[trial.name]:
            records.write_trial(self.folder, trial)
            self.trials[trial.name] = trial

    def propose(self, ends: float | None = None, workers: int = 1) -> bool:
        """Begin the next round, if it can be proposed now, there is time, and the space has more; whether it was.

        A round of which no trial has begun yet, since its driver died, is proposed again, which finds the same.
        """
        if self.is_exhausted:
            return False
        rounds = self.rounds
        begun = {number for number, round_ in rounds.items() if any(trial.step or trial.rungs for trial in round_)}
        number = max(begun, default=-1) + 1
        while number in rounds and len(rounds[number]) == self._size(number, rounds):
            number += 1
        told = [trial for round_ in rounds.values() for trial in round_ if trial.round <= number - BEFORE]
        size = self._size(number, rounds)
        if size < 1 or any(trial.is_running for trial in told):
            return False
        if number and number not in rounds and ends is not None and not self._fits(size, ends, workers):
            return False
        first = sum(len(rounds[before]) for before in range(number))
        tried = {trial.config for before in range(number) for trial in rounds[before]}
        proposed = propose(self.space, self.maker, told, number, size, first, tried)
        self.is_exhausted = len(proposed) < size
        new = [trial for trial in proposed if trial.name not in self.trials]
        for trial in proposed:
            records.begin_trial(self.folder, trial, self.text)
            self.trials.setdefault(trial.name, trial)
        return bool(new)

    def _size(self, number: int, rounds: dict[int, list[Trial]]) -> int:
        """Of a round: all have the same, but for the last."""
        before = sum(len(rounds.get(earlier, ())) for earlier in range(number))
        most = self.asked.round
        return most if self.asked.trials is None else min(most, self.asked.trials - before)

    def _fits(self, size: int, ends: float, workers: int) -> bool:
        """Whether there is time for one more round, as fast as the trials have been so far."""
        left = sum(self._expected_left(trial) for trial in self.trials.values())
        a_round = EXPECTED * size * self.asked.budget
        seeds = (self.asked.seeds - 1) * (BEST + 1) * self.asked.budget
        needed = max((left + a_round + seeds) / max(1, workers), self.asked.budget)
        return time.monotonic() + self.pace * needed < ends

    def _expected_left(self, trial: Trial) -> float:
        if not trial.is_running:
            return 0.0
        share = trial.step / max(1, trial.config.steps)
        return max(EXPECTED, min(1.0, 2 * share)) * self.cost(trial) - share * self.cost(trial)

    @property
    def pace(self) -> float:
        """Seconds that a second of the model of cost has taken so far."""
        tried = [trial for trial in self.trials.values() if trial.seconds]
        modelled = sum(self.cost(trial) * trial.step / trial.config.steps for trial in tried if trial.config.steps)
        return sum(trial.seconds for trial in tried) / modelled if modelled else 1.0

    def repeat_best(self) -> None:
        """Begin the best trials, and the default recipe, with further seeds."""
        finished = [trial for trial in self.ranked() if trial.origin != "seed"]
        chosen = {trial.name: trial for trial in [*finished[:BEST], *(t for t in finished if t.origin == "default")]}
        for trial in chosen.values():
            for seed in range(self.asked.seed + 1, self.asked.seed + self.asked.seeds):
                config = replace(trial.config, seed=seed)
                again = Trial(trial.number, trial.round, "seed", trial.point, config)
                records.begin_trial(self.folder, again, self.text)
                self.trials.setdefault(again.name, again)

    def ranked(self) -> list[Trial]:
        """Those that came to their end, the best first."""
        finished = [trial for trial in self.trials.values() if trial.status == "finished"]
        return sorted(finished, key=lambda trial: (trial.val, trial.number, trial.config.seed))

    def next_work(self, busy: set[str]) -> tuple[Trial, Work] | None:
        """What to do next: of the earliest round, so that others can be proposed from it, what takes longest."""
        rounds, found = self.rounds, []
        for trial in records.in_order(self.trials.values()):
            if trial.name in busy or not trial.is_running:
                continue
            aim = trial.config.steps if trial.origin == "seed" else goal(trial, rounds[trial.round])
            if aim is not None:
                a_step = self.cost(trial) / max(1, trial.config.steps)
                found.append((trial.origin == "seed", trial.round, (trial.step - aim) * a_step, trial, aim))
        if not found:
            return None
        *_, trial, aim = min(found, key=lambda each: each[:3])
        a_checkpoint = max(1, round(trial.config.steps * CHECKPOINT_SECONDS / self.cost(trial)))
        until = min(aim, trial.step + a_checkpoint)
        folder = self.folder / trial.name
        return trial, work_of(trial.name, trial.config, folder, until, measure=until == aim)

    def take(self, name: str, done: Done | Lost) -> None:
        """Write down what came of some steps."""
        trial = self.trials[name]
        if isinstance(done, Lost):
            self.deaths[name] = self.deaths.get(name, 0) + 1
            if self.deaths[name] == TRIES:
                note = f"{TRIES} workers died at it: {done.why}"
                self._judge(replace(trial, status="lost", note=note))
            return
        self.deaths.pop(name, None)
        if done.diverged:
            self._judge(replace(trial, status="diverged", note=done.diverged))
            return
        keep(self.folder / name, done)
        trial = replace(trial, step=done.step, seconds=round(done.seconds, 3))
        if done.loss is not None:
            trial = replace(with_rung(trial, done.val), status="finished", loss=done.loss)
        elif trial.origin != "seed" and done.step >= trial.stages[len(trial.rungs)]:
            trial = with_rung(trial, done.val)
        self._judge(trial)

    def _judge(self, trial: Trial) -> None:
        self.put(trial)
        if trial.origin != "seed":
            for each in judged(self.rounds[trial.round]):
                self.put(each)


def run(sweep: Sweep, workers: Workers, told: Told, ends: float | None = None) -> None:
    """Go on with a sweep until all its trials have come to their ends.

    Args:
        sweep: to go on with.
        workers: that take the steps.
        told: is called whenever something has changed.
        ends: no further round is begun that would not be done by then, on the clock of `time.monotonic`.

    Raises:
        RunError: something cannot be written, or no worker is left.
        KeyboardInterrupt: Ctrl-C; all but the steps under way is kept.
    """
    busy: set[str] = set()
    repeated = sweep.asked.seeds == 1
    sweep.propose(ends, workers.size())  # or what is left of a round whose driver died while it began it
    while True:
        while workers.free():
            found = sweep.next_work(busy)
            if found is None:
                if sweep.propose(ends, workers.size()):
                    continue
                break
            busy.add(found[0].name)
            workers.begin(found[0].name, found[1])
        told(sweep)
        if not busy and workers.free():
            if repeated:
                break
            sweep.repeat_best()
            repeated = True
            continue
        for name, done in workers.ended(WAIT_SECONDS):
            busy.discard(name)
            sweep.take(name, done)
        if ctrl_c.pressed:
            raise KeyboardInterrupt
    if not sweep.ranked():
        why = next((trial.note for trial in sweep.trials.values() if trial.note), "")
        raise RunError("no trial came to its end", where=sweep.folder, got=why or None)
