"""The checkpoints of a run that were seen while it was watched: a run folder keeps only the newest."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FILES = ("config.json", "state.safetensors", "model.safetensors")
MOST = 16
BYTES = 2**28
"""Of one run, about."""


@dataclass(frozen=True)
class Checkpoint:
    """A model of a run at one time.

    Args:
        folder: a run folder with what is needed of it, which does not change.
        which: "start" the values before the first step, "state" those after the last step in that folder, "model" what
            the run keeps as its model.
        step: after which.
        kept: whether the state is that of the model in the folder, which has statistics of batch norm as well.
    """

    folder: Path
    which: Literal["start", "state", "model"]
    step: int
    kept: bool = False

    @property
    def id(self) -> str:
        """What the page calls it."""
        return f"{self.which}-{self.step}"


class Snapshots:
    """Copies of checkpoints of one run: the first and the newest, and some between, closer at the beginning.

    Args:
        folder: where they are kept; nothing else is there.
    """

    def __init__(self, folder: Path):  # noqa: D107
        self.folder = folder
        self.states: dict[int, Path] = {}
        self.model: Checkpoint | None = None
        self._taken = 0

    def take(self, run: Path, step: int, model_step: int | None) -> None:
        """Copy what a run folder holds now.

        Args:
            run: the run folder.
            step: after which its state is; 0 where there is no state.
            model_step: after which its model is; None where there is none.
        """
        self._taken += 1
        copy = self.folder / str(self._taken)
        copy.mkdir(parents=True)
        for name in FILES:
            if (run / name).is_file():
                shutil.copyfile(run / name, copy / name)
        before, self.states[step] = self.states.get(step), copy
        self.model = Checkpoint(copy, "model", model_step) if model_step is not None else None
        unneeded = [before] if before else []
        size = sum(path.stat().st_size for path in copy.iterdir())
        while len(self.states) > max(3, min(MOST, BYTES // max(size, 1))):
            unneeded.append(self.states.pop(closest(sorted(self.states))))
        for path in unneeded:
            shutil.rmtree(path, ignore_errors=True)

    def checkpoints(self, *, trained: bool) -> list[Checkpoint]:
        """What can be looked at, by step.

        Args:
            trained: whether the run takes steps, and so began with values of its own.
        """
        model = self.model and (self.model.folder, self.model.step)
        found = [Checkpoint(path, "state", n, (path, n) == model) for n, path in self.states.items() if n]
        if trained and self.states:
            found.append(Checkpoint(next(iter(self.states.values())), "start", 0))
        if self.model and all(one.step != self.model.step for one in found):
            found.append(self.model)
        return sorted(found, key=lambda one: one.step)


def closest(steps: list[int]) -> int:
    """The step, neither the first nor the last, that is the least missed: its neighbours are close for its size.

    >>> closest([100, 1000, 1010, 2000])
    1000
    """
    gaps = {step: (after - before) / step for before, step, after in zip(steps, steps[1:], steps[2:], strict=False)}
    return min(gaps, key=lambda step: gaps[step])
