"""Runs among folders: which there are, which is the newest, and the model of one."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from handgrad.errors import ConfigError, HandgradError, RunError

if TYPE_CHECKING:
    from handgrad.models.trained import Model

LEVELS = 3
"""So deep below a folder runs are looked for: `runs/towns`, `runs/small/towns`, `runs/small/old/towns`."""
NAMED = 8
"""Most runs that an error names."""


def runs_in(folder: str | Path) -> list[Path]:
    """The run folders in a folder, newest first by what their `config.json` says.

    Of a run of several seeds only the outer folder counts. A folder is no run where its `config.json` does not say when
    it was created; whether the rest of it is sound is not looked at.

    Example:
        >>> import handgrad
        >>> _ = handgrad.train(model="mlp", steps=2, batch_size=8, n_hidden=16, out=folder / "runs" / "one")
        >>> [run.name for run in runs_in(folder / "runs")]
        ['one']
    """
    found = {run: created_at(run) for run in run_folders(Path(folder))}
    known = {run: created for run, created in found.items() if created is not None}
    return sorted(known, key=lambda run: known[run], reverse=True)


def newest(folder: str | Path) -> Path:
    """The newest run in a folder that came to its end and can be loaded; of a sweep's trials the best.

    Raises:
        RunError: there is none.
    """
    from handgrad.training.checkpoint import load

    runs = runs_in(folder)
    for run in map(best_beside, runs):
        if is_finished(run):
            with suppress(HandgradError):
                load(run)
                return run
    if runs:
        raise RunError(
            "no run in this folder is finished", where=folder,
            next_step=f"Go on with the newest: 'handgrad train --resume {shlex.quote(str(runs[0]))}'.",
        )  # fmt: skip
    raise RunError("there is no run in this folder", where=folder, next_step="'handgrad train' makes one, or name one.")


def is_finished(run: Path) -> bool:
    """Whether a run came to its end: its samples, which are drawn last, are there."""
    return (run / "model.safetensors").is_file() and (run / "samples.txt").is_file()


def as_model(model: Model | str | Path) -> Model:
    """The model, or that of the run whose folder stands for it.

    Raises:
        ConfigError: it is neither.
        RunError: there is no run, or it is damaged.
    """
    from handgrad.models.trained import Model
    from handgrad.training.checkpoint import load

    if isinstance(model, Model):
        return model
    if not isinstance(model, str | os.PathLike):
        raise ConfigError(
            "this is no model",
            got=repr(model)[:80],
            expected="one from handgrad.train or handgrad.load, or the path of a run",
        )
    refuse_folder_of_runs(model)
    return load(model)


def refuse_folder_of_runs(folder: str | Path, command: str = "") -> None:
    """Explain a folder that is no run, but holds some, and what to type in place of `command` and the folder.

    Raises:
        RunError: it is one, naming the runs in it, newest first.
    """
    if (Path(folder) / "config.json").exists() or not (runs := runs_in(folder)):
        return
    names = ", ".join(map(str, runs[:NAMED])) + (f" and {len(runs) - NAMED:,} more" if len(runs) > NAMED else "")
    best = best_beside(runs[0])
    which = "newest" if best == runs[0] else "best trial"
    instead = f" For the {which} type '{command} {shlex.quote(str(best))}'." if command else ""
    raise RunError(
        "this is a folder of runs, not a run", where=folder,
        next_step=f"Name one of them, newest first: {names}.{instead}",
    )  # fmt: skip


def best_beside(run: Path) -> Path:
    """The best trial of the sweep of which a run is a trial, by validation loss; the run itself where it is none."""
    if not (run / "trial.json").is_file():
        return run
    losses: dict[str, list[float]] = {}  # of each recipe, with all its seeds
    for path in sorted(run.parent.glob("trial-*/trial.json")):
        with suppress(OSError, ValueError, LookupError, TypeError, RecursionError):
            loss = float(json.loads(path.read_text(encoding="utf-8"))["loss"]["val"])
            losses.setdefault(path.parent.name.partition("-seed-")[0], []).append(loss)
    most = max(map(len, losses.values()), default=0)
    best = min(losses, key=lambda name: (len(losses[name]) == 1 < most, fmean(losses[name])), default=run.name)
    return run.parent / best


def run_folders(folder: Path, levels: int = LEVELS) -> Iterator[Path]:
    """Every folder with a `config.json`, by name; what is in these is not looked at."""
    with suppress(OSError):
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or not path.is_dir():
                continue
            if (path / "config.json").is_file():
                yield path
            elif levels > 1:
                yield from run_folders(path, levels - 1)


def created_at(run: Path) -> tuple[datetime, int] | None:
    """When a run was created: to the second as it says itself, and then as the file system does."""
    path = run / "config.json"
    try:
        created = datetime.fromisoformat(json.loads(path.read_text(encoding="utf-8"))["created"])
        return created.astimezone(), path.stat().st_mtime_ns
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return None
