"""Runs a script that prints the loss of each of its training steps, until it has taken some; a program of its own.

Of each step it prints when it was done, in seconds of a clock of `time`, its number and its loss. It is started with
the path of the script, how many steps, and the name of the clock.
"""

import re
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

STEP = re.compile(r"step\D*(\d+).*loss\D*([\d.]+)", re.IGNORECASE)


class Watched:
    """Standard output of the script, of which only the steps are let through.

    Args:
        out: where to.
        steps: after so many the script ends.
        clock: seconds.
    """

    def __init__(self, out: TextIO, steps: int, clock: Callable[[], float]):  # noqa: D107
        self._out, self._steps, self._clock, self._done = out, steps, clock, 0

    def write(self, text: str) -> int:
        """Let it through if it is of a step."""
        if found := STEP.search(text):
            print(self._clock(), *found.groups(), file=self._out)
            self._done += 1
            if self._done == self._steps:
                sys.exit()
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""


if __name__ == "__main__":
    script, steps, clock = sys.argv[1:]
    sys.argv, sys.path[0] = [script], str(Path(script).parent)
    sys.stdout = Watched(sys.stdout, int(steps), getattr(time, clock))
    runpy.run_path(script, run_name="__main__")
