"""How large the update of each parameter is beside its values: the last picture of makemore part 3."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from handgrad.models.trained import Model
from handgrad.studio.snapshots import Checkpoint
from handgrad.studio.trained import model_of, splits_of, state_of
from handgrad.training import checkpoint as folders
from handgrad.training.backend import batches_of
from handgrad.training.state import Arrays, Settings
from handgrad.training.torch_steps import TorchSteps


def trained_settings(checkpoint: Checkpoint) -> Settings | None:
    """What a run that takes steps was started with; None of what counts, or mixes others."""
    settings = folders.read_config(checkpoint.folder)
    if not isinstance(settings, Settings) or settings.model.counted or settings.config.runs > 1:
        return None
    return settings


def parameters_of(checkpoint: Checkpoint) -> Arrays:
    """The parameters by name."""
    found: Model | Any = model_of(checkpoint) if checkpoint.which == "model" else state_of(checkpoint)
    return found.parameters


def minibatch_of(checkpoint: Checkpoint, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """What the next step reads, and what follows."""
    (batch,) = batches_of(settings, splits_of(settings.text).train, range(checkpoint.step, checkpoint.step + 1))
    return batch.X, batch.Y


@functools.lru_cache(maxsize=256)
def ratios_of(checkpoint: Checkpoint) -> dict[str, float | None]:
    """Of each parameter, log10 of the standard deviation of its update in the next step over that of its values.

    A step of gradient descent, or of Adam with the moments of the checkpoint; where these are not there, None is known
    of none. Behind the last step the rate is that of the last.
    """
    settings = trained_settings(checkpoint)
    assert settings is not None
    config, before = settings.config, parameters_of(checkpoint)
    if checkpoint.which == "model" and config.optimizer != "sgd":
        return dict.fromkeys(before)
    state, batches = state_of(checkpoint), [minibatch_of(checkpoint, settings)]
    taker = TorchSteps(settings.model, seed=config.seed, first=checkpoint.step)
    rates = [state.schedule.rate(min(checkpoint.step, state.schedule.stop - 1))]
    if config.optimizer == "sgd":
        after, _ = taker.sgd_steps(before, batches, rates)
    else:
        after, _, _ = taker.adam_steps(before, state.moments, batches, rates, config.weight_decay)
    return {name: _ratio(after[name].astype(np.float64) - value, value) for name, value in before.items()}


def ratios(checkpoints: Sequence[Checkpoint]) -> dict[str, Any]:
    """The ratios of all weight matrices at each checkpoint.

    Returns:
        `steps`, and by name the `ratios` at each of them, None where one is not known.
    """
    if not checkpoints or (settings := trained_settings(checkpoints[-1])) is None:
        return {"without": "No step is taken here."}
    matrices = [name for name, shape in settings.model.shapes.items() if len(shape) == 2 and min(shape) > 1]
    known = [(one.step, ratios_of(one)) for one in checkpoints if one.which != "model"]
    return {
        "steps": [step for step, _ in known],
        "ratios": {name: [of_each[name] for _, of_each in known] for name in matrices},
    }


def _ratio(update: np.ndarray, value: np.ndarray) -> float | None:
    moved, spread = float(update.std()), float(value.astype(np.float64).std())
    return math.log10(moved / spread) if moved and spread and math.isfinite(moved / spread) else None
