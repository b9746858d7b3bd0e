"""What a worker does: it takes some steps of a run, wherever these were left, and gives back the files of its folder.

Everything that it needs comes with the work, and nothing of it stays: the next steps can be taken by another worker.
"""

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from handgrad.errors import DivergedError
from handgrad.training import checkpoint, files, run, validation
from handgrad.training.config import TrainConfig
from handgrad.training.loop import Every, take_steps
from handgrad.training.pace import FEW, take_some
from handgrad.training.state import initial_state

NEVER = Every(seconds=math.inf)
TO_GO_ON = ("state.safetensors", "results.json")
"""The files with which another worker can take the next steps."""


@dataclass(frozen=True)
class Work:
    """Some steps of a run.

    Args:
        name: of its run folder.
        config: of the run.
        until: so many steps are done, all in all.
        files: `TO_GO_ON`, as far as there are such.
        measure: whether to measure the validation loss then.
    """

    name: str
    config: TrainConfig
    until: int
    files: Mapping[str, bytes]
    measure: bool = True


@dataclass(frozen=True)
class Done:
    """What came of it.

    Args:
        step: so many are done.
        seconds: that all of them took, in whichever worker.
        val: the least validation loss so far, in nats; infinite where it was not measured.
        loss: of each split, once the run has come to its end.
        files: of the run folder, by name.
        diverged: why the run cannot go on.
    """

    step: int
    seconds: float
    val: float
    loss: dict[str, float] | None
    files: Mapping[str, bytes]
    diverged: str = ""


class Bench:
    """Where the work is done: the text, and compiled loops that have been loaded.

    Args:
        text: that is trained on.
    """

    def __init__(self, text: run.Text):  # noqa: D107
        self._text = text
        self._warm: set[str] = set()

    def do(self, work: Work) -> Done:
        """Take the steps.

        Raises:
            ConfigError: the run makes no sense on this text.
        """
        with tempfile.TemporaryDirectory(prefix="handgrad-") as place:
            folder = Path(place) / work.name
            settings = run.prepared(self._text, work.config)
            checkpoint.create(folder, settings, work.files)
            begun = run.opened(folder, settings, self._text)
            self._warm_up(begun)
            try:
                return self._done(begun, work)
            except DivergedError as error:
                return Done(begun.state.step, begun.seconds, math.inf, None, {}, str(error))

    def _done(self, begun: run.Run, work: Work) -> Done:
        now = take_steps(begun, NEVER, until=work.until)
        state, measured = now.state, begun.state.validations
        if state.is_done:
            outcome = run.finish(now)
            return Done(state.step, now.seconds, outcome.losses["val"], outcome.losses, _files(now.folder))
        run.save(now)
        val = math.inf
        if work.measure:
            measured = state.validations[:, 1]
            new = not len(state.validations) or state.validations[-1, 0] < state.step
            last = validation.loss_of(state, now.settings, now.splits) if new else math.inf
            val = min(float(measured.min(initial=math.inf)), last)
        return Done(state.step, now.seconds, val, None, _files(now.folder))

    def _warm_up(self, begun: run.Run) -> None:
        """Compile or load the loops, which is no part of a run's seconds."""
        model = begun.settings.config.model
        if model in self._warm:
            return
        self._warm.add(model)
        few = type(begun.splits)(*(validation.head(part, FEW) for part in begun.splits))
        state = initial_state(begun.settings)
        if not begun.settings.model.counted:
            state = take_some(state, begun.settings, few, 1)
        validation.loss_of(state, begun.settings, few)


def _files(folder: Path) -> dict[str, bytes]:
    files.clean(folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != "config.json"}


def keep(folder: Path, done: Done) -> None:
    """Write the files of a run folder as a worker gave them back, the state first."""
    for name in sorted(done.files, key=lambda name: name not in TO_GO_ON):
        files.write(folder, name, done.files[name])


def to_go_on(folder: Path) -> dict[str, bytes]:
    """What a worker needs of a run folder to take the next steps."""
    files.clean(folder)
    return {name: path.read_bytes() for name in TO_GO_ON if (path := folder / name).is_file()}


def work_of(name: str, config: TrainConfig, folder: Path, until: int, measure: bool = True) -> Work:
    """The next steps of a run folder."""
    return Work(name, replace(config, runs=1), until, to_go_on(folder), measure)
