"""A trial: one recipe of a sweep, how far it has come, and its record, which lies in its run folder."""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from handgrad.training.config import TrainConfig

SHARES = (0.25, 0.5, 1.0)
"""Of its steps: where a trial is compared with the others of its round."""
Status = Literal["running", "stopped", "finished", "diverged", "lost"]
Origin = Literal["default", "recipe", "search", "seed"]


@dataclass(frozen=True)
class Rung:
    """Where a trial was compared with the others of its round.

    Args:
        step: after so many steps.
        loss: the least on the validation split by then, in nats; None where it is not finite.
        seconds: that training took by then.
    """

    step: int
    loss: float | None
    seconds: float


@dataclass(frozen=True)
class Trial:
    """One recipe.

    Args:
        number: from 0 on; that of the default recipe is 0.
        round: in which it was proposed.
        origin: the default recipe, another recipe that is known to be good, one that was searched, or a further seed.
        point: its coordinates in the space, by `family.setting`; empty where it is not of the space.
        config: with which it is trained.
        step: after which its checkpoint is.
        seconds: that training took so far.
        rungs: how it was compared, one for each of `SHARES` that it has come to.
        status: 'stopped' where others were better, 'lost' where its workers died again and again.
        loss: of each split in the end, in nats.
        note: why it diverged or was lost.
    """

    number: int
    round: int
    origin: Origin
    point: dict[str, Any]
    config: TrainConfig
    step: int = 0
    seconds: float = 0.0
    rungs: tuple[Rung, ...] = ()
    status: Status = "running"
    loss: dict[str, float] | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """Of its run folder."""
        seed = f"-seed-{self.config.seed}" if self.origin == "seed" else ""
        return f"trial-{self.number:03d}{seed}"

    @property
    def stages(self) -> tuple[int, ...]:
        """The steps of its rungs."""
        return tuple(max(1, round(share * self.config.steps)) if self.config.steps else 0 for share in SHARES)

    @property
    def is_running(self) -> bool:
        """Whether it has not come to its end."""
        return self.status == "running"

    def loss_at(self, stage: int) -> float:
        """What it is compared by at a stage: its last loss where it had come to its end before."""
        if stage >= len(self.rungs) and self.status != "finished":
            return math.inf
        loss = self.rungs[min(stage, len(self.rungs) - 1)].loss
        return math.inf if loss is None else loss

    @property
    def val(self) -> float:
        """The validation loss in the end, or the last that was measured."""
        return self.loss["val"] if self.loss else self.loss_at(len(self.rungs) - 1) if self.rungs else math.inf


def with_rung(trial: Trial, loss: float) -> Trial:
    """The trial once it was compared where it stands."""
    return replace(trial, rungs=(*trial.rungs, Rung(trial.step, loss if math.isfinite(loss) else None, trial.seconds)))


def rounds_of(trials: list[Trial]) -> dict[int, list[Trial]]:
    """The trials by round, in their order; seeds that repeat others are of none."""
    rounds: dict[int, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        if trial.origin != "seed":
            rounds.setdefault(trial.round, []).append(trial)
    return rounds
