"""microgpt.py itself: a copy that the user has, timed as it is."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from handgrad.bench import watched
from handgrad.bench.rivals import UnavailableError
from handgrad.data import resolve_corpus

STEPS, TEXT = 12, "input.txt"
"""After the first one, their lines are as long as lines are on average."""
PRINTED = 1e-4
"""How far a loss of four decimals may be from ours."""


class Script:
    """A script that trains on `input.txt`, here the built-in names, a line a step, and prints the loss of each step.

    Args:
        path: of the script.
        clock: a function of `time`, by which it is timed.
    """

    def __init__(self, path: Path, clock: str):  # noqa: D107
        self._path, self._clock, self._corpus = path.absolute(), clock, resolve_corpus()

    def turn(self) -> Callable[[], float]:
        """What takes its first steps, and returns the seconds of one of those after the very first, where it starts.

        Raises:
            UnavailableError: it prints no losses, or others than `handgrad train --preset microgpt` has.
        """
        _, losses = self._take()
        for step, (theirs, ours) in enumerate(zip(losses, self._our_losses(), strict=True), 1):
            if not abs(theirs - ours) <= PRINTED:
                found = f"the loss that it prints at step {step} is {theirs:.4f}, not {ours:.4f}"
                raise UnavailableError(f"does not compute the same: {found}")
        return lambda: float(np.diff(self._take()[0]).mean())

    def _take(self) -> tuple[np.ndarray, np.ndarray]:
        """When each of its first steps was done, in seconds, and its loss."""
        with tempfile.TemporaryDirectory() as folder:
            text = "".join(f"{line}\n" for line in self._corpus.lines())
            Path(folder, TEXT).write_text(text, encoding="utf-8")
            words = [sys.executable, watched.__file__, self._path, STEPS, self._clock]
            ended = subprocess.run([*map(str, words)], cwd=folder, capture_output=True, text=True, check=False)
        rows = [line.split() for line in ended.stdout.splitlines()]
        if len(rows) < STEPS:
            said = ": ".join(["", *ended.stderr.strip().splitlines()[-1:]])
            raise UnavailableError(f"prints no {STEPS} lines with step and loss{said}")
        times, _, losses = np.array(rows, float).T
        return times, losses

    def _our_losses(self) -> np.ndarray:
        """Those of `handgrad train --preset microgpt`."""
        from handgrad.models.trained import TextReference
        from handgrad.training.backend import take
        from handgrad.training.config import PRESETS
        from handgrad.training.state import Settings, initial_state

        config = PRESETS["microgpt"]
        text = TextReference.to(self._corpus, config.seed)
        settings = Settings(config, self._corpus.vocabulary, text)
        return take(initial_state(settings), settings, text.split(self._corpus).train, STEPS)[2][:STEPS]
