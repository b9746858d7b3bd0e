"""Runs as the page shows them: which there are in a run folder, how far each has come, and what was seen of it."""

import contextlib
import time
from pathlib import Path
from typing import Any

from handgrad.errors import HandgradError, RunError
from handgrad.studio.curves import Losses, losses_of, scalar
from handgrad.studio.snapshots import Checkpoint, Snapshots
from handgrad.training.checkpoint import read_config
from handgrad.training.listing import Listed, listing
from handgrad.training.plan import Plan

FILES = ("config.json", "results.json", "state.safetensors", "model.safetensors", "history.csv", "samples.txt")
QUIET_S = 60.0
"""A run of which nothing was written for so long is not taken to be going on."""
MOST_SAMPLES = 30
EASILY_READ = 14

Stamp = tuple[tuple[int, int, int] | None, ...]


class WatchedRun:
    """A run folder, looked at again and again; what it held is remembered when it goes, or is damaged.

    Args:
        id: what the page calls it.
        folder: of the run.
        name: as it is shown.
        parent: the run of which this is a part or a seed.
        copies: a folder of its own for copies of its checkpoints.
    """

    def __init__(self, id: str, folder: Path, name: str, parent: str | None, copies: Path):  # noqa: D107
        self.id, self.folder, self.name, self.parent = id, folder, name, parent
        self.snapshots = Snapshots(copies)
        self.losses = Losses()
        self.listed: Listed | None = None
        self.settings: Any = None
        self.said: str | None = None
        self.version = 0
        self._samples: list[str] = []
        self._stamp: Stamp | None = None

    def look(self) -> bool:
        """Look again; whether anything has changed."""
        stamp = tuple(_stamp(self.folder / name) for name in FILES)
        if stamp == self._stamp:
            return False
        self._stamp, self.said = stamp, None
        self.version += 1
        if not any(stamp):
            kept = " any more. What was read before is still shown." if self.listed else "."
            self.said = f"There is no run folder {self.folder}{kept}"
            return True
        try:
            self._read()
        except HandgradError as error:
            self.said = str(error)
        except OSError as error:
            self.said = str(RunError("the run cannot be read", where=self.folder, got=error.strerror))
        return True

    @property
    def children(self) -> list[tuple[str, Path]]:
        """The parts or seeds of the run, which have run folders of their own: the name of each, and its folder."""
        names: list[str] = []
        if isinstance(self.settings, Plan):
            names = self.settings.names
        elif (config := getattr(self.settings, "config", None)) and config.runs > 1:
            names = [f"seed-{seed}" for seed in config.seeds]
        return [(name, self.folder / name) for name in names if (self.folder / name / "config.json").is_file()]

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """What can be looked at, by step."""
        config = getattr(self.settings, "config", None)
        trained = config is not None and config.runs == 1 and config.steps > 0
        return self.snapshots.checkpoints(trained=trained)

    @property
    def example(self) -> str:
        """A line whose attention is shown until another is typed: the longest of the samples that is easily read."""
        return max((line for line in self._samples if len(line) <= EASILY_READ), key=len, default="") or "a"

    def to_json(self) -> dict[str, Any]:
        """For the page."""
        listed, model = self.listed, self.snapshots.model
        return {
            "id": self.id, "name": self.name, "folder": str(self.folder), "parent": self.parent,
            "version": self.version, "status": self._status(), "said": self.said,
            "text": listed and listed.text, "model": listed and listed.model,
            "parameters": listed and listed.parameters, "steps": listed and listed.steps,
            "planned": listed and listed.planned, "seconds": listed and listed.seconds,
            "loss": dict(listed.loss) if listed else {}, "created": listed and listed.created,
            "last": self.losses.last, "samples": self._samples, "example": self.example, "best": model and model.step,
            "checkpoints": [{"id": one.id, "step": one.step} for one in self.checkpoints],
        }  # fmt: skip

    def _status(self) -> str:
        if self.said is not None:
            return "gone" if self._stamp and not any(self._stamp) else "damaged"
        if self.listed is None or self.listed.finished:
            return "finished"
        newest = max(stamp[0] for stamp in self._stamp or () if stamp)
        return "training" if time.time() - newest / 1e9 < QUIET_S else "unfinished"

    def _read(self) -> None:
        found = listing(self.folder)
        for error in found.damaged.values():
            raise error
        self.listed = found.runs[0]
        self.settings = read_config(self.folder)
        self.losses = losses_of(self.folder)
        with contextlib.suppress(OSError, UnicodeDecodeError):
            self._samples = (self.folder / "samples.txt").read_text(encoding="utf-8").split("\n")[:-1][:MOST_SAMPLES]
        model = scalar(self.folder / "model.safetensors", "steps")
        state = scalar(self.folder / "state.safetensors", "step")
        if model is not None or state is not None:
            self.snapshots.take(self.folder, state or 0, model)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
