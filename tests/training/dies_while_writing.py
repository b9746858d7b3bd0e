"""Ends without warning before one line of checkpoint.py after another, as a kill would, each time in another folder.

usage: python dies_while_writing.py FOLDER TEXT

Leaves FOLDER/create/K, where a run was being made, and FOLDER/save/K, where a second checkpoint was being written over
the first, dead before the K-th line that is executed; and FOLDER/old and FOLDER/new, with those two checkpoints whole.
"""

import itertools
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from handgrad.training import checkpoint, loop
from handgrad.training.config import TrainConfig

CONFIG = TrainConfig(steps=4, batch_size=3, block_size=2, n_embd=2, n_hidden=3)
DIED = 9


def die_before_line(number: int) -> None:
    """Leave this process before it executes the `number`-th line of checkpoint.py, without any clearing up."""
    lines = itertools.count(1)

    def trace(frame, event, _):
        if frame.f_code.co_filename != checkpoint.__file__:
            return None
        if event == "line" and next(lines) == number:
            os._exit(DIED)
        return trace

    sys.settrace(trace)


def die_at_each_line(folder: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with folder/1, folder/2, ... in children that die one line later each, until one survives."""
    for number in itertools.count(1):
        child = os.fork()
        if not child:
            die_before_line(number)
            write(folder / str(number))
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == 0:
            return
        assert code == DIED, code


def main(folder: Path, text: Path) -> None:
    def create(run_folder: Path) -> loop.Run:
        return loop.start(text, CONFIG, run_folder)

    def advanced(run: loop.Run, step: int) -> loop.Run:
        return replace(run, state=loop.advance(run.state, CONFIG, run.splits.train, step))

    old = advanced(create(folder / "old"), 2)
    loop.save(old)
    shutil.copytree(old.folder, folder / "new")
    new = advanced(replace(old, folder=folder / "new"), 3)
    loop.save(new)

    def save(run_folder: Path) -> None:
        shutil.copytree(old.folder, run_folder)
        loop.save(replace(new, folder=run_folder))

    die_at_each_line(folder / "create", create)
    die_at_each_line(folder / "save", save)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
