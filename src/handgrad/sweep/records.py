"""A sweep's folder: `sweep.json`, what was asked for, and a run folder for each trial, with its record, `trial.json`.

Each file is written whole or not at all, and nothing else is remembered: a driver that dies is replaced by any other.
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from handgrad.errors import ConfigError, RunError
from handgrad.json_files import read_json
from handgrad.models.trained import TextReference
from handgrad.sweep import space
from handgrad.sweep.trials import Trial
from handgrad.training import checkpoint, files
from handgrad.training.run import Text, prepared

FORMAT = 1
SWEEP, TRIAL = "sweep.json", "trial.json"


@dataclass(frozen=True)
class Asked:
    """What a sweep was asked for: `sweep.json`.

    Args:
        text: that is trained on.
        space: what may be tried, as `Space.content` has it.
        budget: seconds of one core, about, that a trial may take.
        seed: of the proposals, and with which all trials are trained.
        trials: how many in all; None for as many as there is time.
        seeds: with how many the best are trained in the end.
        round: so many trials are proposed at once, and compared.
    """

    text: TextReference
    space: dict[str, dict[str, Any]]
    budget: Annotated[float, Meta(gt=0)]
    seed: Annotated[int, Meta(ge=0)]
    trials: Annotated[int, Meta(ge=1)] | None
    seeds: Annotated[int, Meta(ge=1)] = 1
    round: Annotated[int, Meta(ge=2)] = 8
    format: int = FORMAT


def create(folder: Path, asked: Asked) -> None:
    """Make the folder.

    Raises:
        RunError: it is there already, or cannot be written.
    """
    files.require_free(folder)
    with files.errors_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_asked(folder, asked)


def write_asked(folder: Path, asked: Asked) -> None:
    """Write `sweep.json`."""
    content = {**asdict(asked), "handgrad": version("handgrad")}
    files.write(folder, SWEEP, (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode())


def read_asked(folder: Path) -> Asked:
    """What `sweep.json` holds.

    Raises:
        RunError: it is no sweep, damaged, or from a later version.
    """
    path = folder / SWEEP
    if not folder.exists():
        raise RunError(
            "there is no such folder",
            where=folder,
            next_step="'handgrad sweep FILE' makes a sweep and prints its path.",
        )
    if not path.is_file():
        raise RunError(
            "this is no sweep: sweep.json is missing", where=folder,
            next_step="'handgrad sweep FILE' makes one and prints its path.",
        )  # fmt: skip
    try:
        asked = read_json(path, Asked)
        space.read(asked.space, SWEEP)
    except (ValueError, OSError, ConfigError, AttributeError) as error:
        raise files.damaged(path, error) from None
    if asked.format > FORMAT:
        raise RunError(
            "made by a later version of handgrad", where=folder, got=f"format {asked.format}",
            expected=f"format {FORMAT}", next_step="Upgrade handgrad to go on with it.",
        )  # fmt: skip
    return asked


def begin_trial(folder: Path, trial: Trial, text: Text) -> None:
    """Make the run folder of a trial, unless it is there; what a driver left that died while it made it is removed."""
    place = folder / trial.name
    if not (place / "config.json").exists():
        shutil.rmtree(place, ignore_errors=True)
        checkpoint.create(place, prepared(text, replace(trial.config, runs=1)), {TRIAL: _content(trial)})


def write_trial(folder: Path, trial: Trial) -> None:
    """Write `trial.json`."""
    files.write(folder / trial.name, TRIAL, _content(trial))


def read_trials(folder: Path) -> list[Trial]:
    """All trials that have been begun, by number.

    Raises:
        RunError: a record is damaged.
    """
    trials = []
    for path in sorted(folder.glob(f"trial-*/{TRIAL}")):
        if not (path.parent / "config.json").exists():  # its driver died while it was made
            continue
        try:
            trials.append(read_json(path, Trial))
        except (ValueError, OSError, ConfigError) as error:
            raise files.damaged(path, error) from None
    return sorted(trials, key=_order)


def in_order(trials: Iterable[Trial]) -> list[Trial]:
    """By number; a further seed of a trial behind it."""
    return sorted(trials, key=_order)


def _order(trial: Trial) -> tuple[int, bool, int]:
    return trial.number, trial.origin == "seed", trial.config.seed


def _content(trial: Trial) -> bytes:
    return (json.dumps(asdict(trial), ensure_ascii=False, indent=2) + "\n").encode()
