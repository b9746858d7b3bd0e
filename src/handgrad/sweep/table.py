"""`sweep.csv`: one row a trial."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from handgrad.models.registry import family
from handgrad.sweep.space import SEARCHED
from handgrad.sweep.trials import SHARES, Trial
from handgrad.training.config import SIZES

SPLITS = ("train", "val", "test")


def to_csv(trials: Sequence[Trial]) -> bytes:
    """A row a trial: its recipe, how far it came, and its losses in nats; what a family lacks is empty.

    But for the last column, the seconds that training took, it is the same wherever the trials ran.
    """
    settings = _varied(trials)
    rungs = [f"val_{share:g}" for share in SHARES[:-1]]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("trial", "round", "origin", "model", *settings, "seed", "steps", "planned", "status", *rungs,
                     *SPLITS, "note", "seconds"))  # fmt: skip
    for trial in trials:
        of_recipe = [setting_of(trial, name) for name in settings]
        at_rungs = [_loss(trial.rungs[stage].loss) if stage < len(trial.rungs) else "" for stage in range(len(rungs))]
        losses = [_loss((trial.loss or {}).get(name)) for name in SPLITS]
        writer.writerow((trial.name, trial.round, trial.origin, trial.config.model, *of_recipe, trial.config.seed,
                         trial.step, trial.config.steps, trial.status, *at_rungs, *losses, trial.note,
                         f"{trial.seconds:.3f}"))  # fmt: skip
    return text.getvalue().encode()


def setting_of(trial: Trial, name: str) -> Any:
    """A setting of its recipe; empty where its family has none of that name."""
    kind = family(trial.config.model)
    has = name not in SIZES or name in {field.name for field in fields(kind)}
    return getattr(trial.config, name) if has and (not kind.counted or name in SIZES) else ""


def _varied(trials: Sequence[Trial]) -> list[str]:
    """The settings in which the trials differ."""
    return [name for name in SEARCHED if len({setting_of(trial, name) for trial in trials} - {""}) > 1]


def _loss(loss: float | None) -> str:
    return "" if loss is None or not math.isfinite(loss) else f"{loss:.6f}"
