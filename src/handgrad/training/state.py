"""What a run was started with, how far it has come, and how it begins."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from handgrad.data.python_random import PythonRandom
from handgrad.data.vocabulary import Vocabulary
from handgrad.models.family import Family, Normal
from handgrad.models.trained import TextReference
from handgrad.training.config import TrainConfig
from handgrad.training.schedule import Schedule

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Settings:
    """What a run was started with: `config.json`."""

    config: TrainConfig
    vocabulary: Vocabulary
    text: TextReference

    @property
    def model(self) -> Family:
        """The model's family and sizes."""
        return self.config.sizes(self.vocabulary.size)

    @property
    def content(self) -> dict[str, Any]:
        """What makes a `config.json` that of a run."""
        return {"training": asdict(self.config)}


@dataclass(frozen=True)
class State:
    """How far a run has come: `state.safetensors`.

    Args:
        step: steps taken.
        parameters: float32 arrays by name.
        moments: what Adam remembers, by name; empty for gradient descent.
        losses: (step,) float32, nats: those of the minibatches seen.
        schedule: of the learning rate; it says at which step the run ends.
        validations: (times measured, 2) float64: after which step, and the loss of the validation split in nats.
        best: the parameters at the least of these losses, the first where there are several; empty before any, and
            where the last parameters are kept.
    """

    step: int
    parameters: Arrays
    moments: Arrays
    losses: np.ndarray
    schedule: Schedule
    validations: np.ndarray
    best: Arrays

    @property
    def kept(self) -> tuple[int, Arrays]:
        """The state that is the run's model: after which step, and its parameters."""
        if not self.best:
            return self.step, self.parameters
        return int(self.validations[self.validations[:, 1].argmin(), 0]), self.best

    @property
    def is_done(self) -> bool:
        """Whether the run has come to its end."""
        return self.step >= self.schedule.stop


def initial_state(settings: Settings) -> State:
    """The state before the first step; a function of the settings alone."""
    parameters = {
        name: np.ascontiguousarray(value, np.float32)
        for name, value in settings.model.initial(_normal(settings)).items()
    }
    return State(
        0, parameters, first_moments(parameters, settings), np.empty(0, np.float32),
        Schedule.planned(settings.config), np.empty((0, 2)), {},
    )  # fmt: skip


def _normal(settings: Settings) -> Normal:
    """What draws the numbers from which initial values are made."""
    if settings.config.random == "python":
        return PythonRandom(settings.config.seed, settings.text.n_lines or 0).normal
    philox = np.random.Generator(np.random.Philox(key=settings.config.seed, counter=1 << 192))
    return lambda _, shape: philox.standard_normal(shape, np.float32)


def first_moments(parameters: Mapping[str, np.ndarray], settings: Settings) -> dict[str, np.ndarray]:
    """What the optimiser remembers before the first step."""
    if settings.config.optimizer == "sgd":
        return {}
    from handgrad.engine.training import no_moments

    return no_moments(parameters)
