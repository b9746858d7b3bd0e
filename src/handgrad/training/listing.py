"""What the runs in a folder are, and how good: as a list, and as a picture of their curves."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from handgrad.errors import RunError
from handgrad.training.folders import created_at, is_finished, run_folders
from handgrad.training.results import Results, read_results

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Listed:
    """A run in a list.

    Args:
        run: its folder.
        text: the name of what it was trained on.
        models: the family of each part of the model; one, where it is no mixture.
        parameters: how many numbers are trained, 0 for what is counted; None where there is no model yet.
        steps: taken so far.
        planned: steps in all; None where there is no such number.
        seconds: that training took so far; None where that is not known, as of a run of before it was written down.
        loss: of each split, in nats a character; empty where the run has not come to its end, or did before its losses
            were written down.
        created: when, in ISO 8601.
        finished: whether it came to its end.
        seeds: how many models were trained, of which this is the best.
    """

    run: Path
    text: str
    models: tuple[str, ...]
    parameters: int | None
    steps: int
    planned: int | None
    seconds: float | None
    loss: Mapping[str, float]
    created: str
    finished: bool
    seeds: int = 1

    @property
    def model(self) -> str:
        """The family, or what is mixed.

        >>> from handgrad.training.listing import Listed
        >>> Listed(Path("run"), "names", ("gru", "ngram"), 0, 0, None, None, {}, "", True).model
        'mix of gru + ngram'
        """
        return self.models[0] if len(self.models) == 1 else f"mix of {' + '.join(self.models)}"


class Listing(NamedTuple):
    """The runs in a folder, newest first, and why each of the others cannot be read."""

    runs: list[Listed]
    damaged: dict[Path, RunError]


def listing(folder: Path) -> Listing:
    """Read the runs in a folder; a run folder is one of its own.

    Raises:
        RunError: there is no such folder.
    """
    if not folder.is_dir():
        raise RunError(
            "there is no such folder",
            where=folder,
            expected="a folder of runs",
            next_step="'handgrad train' makes one.",
        )
    alone = (folder / "config.json").exists()
    runs, damaged = [], {}
    for run in [folder] if alone else run_folders(folder):
        try:
            runs.append(_listed(run))
        except RunError as error:
            damaged[run] = error
    runs.sort(key=lambda listed: created_at(listed.run) or (), reverse=True)
    return Listing(runs, damaged)


def _listed(run: Path) -> Listed:
    from handgrad.training.checkpoint import load, read_config
    from handgrad.training.files import damaged
    from handgrad.training.state import Settings

    settings = read_config(run)
    created = created_at(run)
    if created is None:
        raise damaged(run / "config.json", "it does not say when the run was created")
    model = load(run) if (run / "model.safetensors").exists() else None
    config = settings.config if isinstance(settings, Settings) else None
    if model:
        models = [part.name for part in getattr(model.config, "parts", [model.config])]
    else:
        models = [getattr(part, "training", part).model for part in getattr(settings, "parts", [config])]
    seeds = config.runs if config else 1
    results = _results(run, seeds)
    return Listed(
        run,
        settings.text.name,
        tuple(models),
        model.config.n_parameters if model else None,
        results.steps if results else model.steps if model else 0,
        config.steps if config else None,
        results.seconds if results else None,
        {name: results.loss[name] for name in SPLITS if name in results.loss} if results and results.loss else {},
        created[0].isoformat(timespec="seconds"),
        results.finished is not None if results else is_finished(run),
        seeds,
    )


def _results(run: Path, seeds: int) -> Results | None:
    """What was measured of a run; of several seeds, of the best."""
    results = read_results(run)
    if results is None and seeds > 1:
        each = filter(None, (read_results(path) for path in run.glob("seed-*") if path.is_dir()))
        return min(each, key=lambda found: (found.loss or {}).get("val", math.inf), default=None)
    return results


class Curve(NamedTuple):
    """How the loss of a run fell: on the validation split where it was measured there, else on minibatches."""

    steps: list[int]
    losses: list[float]
    validation: bool


def curve_of(run: Path) -> Curve | None:
    """What `history.csv` says, of several parts that of the longest; None where there is none, as of what is counted.

    Raises:
        RunError: it is damaged.
    """
    from handgrad.training.files import damaged

    own = run / "history.csv"
    path = own if own.exists() else max(run.glob("*/history.csv"), key=lambda part: part.stat().st_size, default=own)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        measured = [(int(row["step"]), float(row["val_loss"])) for row in rows if row.get("val_loss")]
        means = [(int(row["step"]), float(row["loss"])) for row in rows]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from None
    points = measured if len(measured) > 1 else means
    if not all(math.isfinite(loss) for _, loss in points):
        raise damaged(path, "a loss is not finite")
    if not points:
        return None
    return Curve([step for step, _ in points], [loss for _, loss in points], len(measured) > 1)
