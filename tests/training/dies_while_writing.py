"""Dies in the middle of writing a run folder, again and again, at another moment and in another folder each time.

usage: python dies_while_writing.py FOLDER TEXT

Leaves the folders
    FOLDER/create/K  in which a run was being made, dead before the K-th executed line of checkpoint.py or files.py
    FOLDER/save/K    in which a second checkpoint was being written over the first, dead before such a line
    FOLDER/torn/K    the same, killed by the system as a file grew beyond K bytes
    FOLDER/old and FOLDER/new, with those two checkpoints whole
"""

import itertools
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from handgrad.training import checkpoint, files
from handgrad.training.config import TrainConfig
from handgrad.training.loop import advance
from handgrad.training.run import Run, read_text, save, start

CONFIG = TrainConfig(steps=4, batch_size=3, block_size=2, n_embd=2, n_hidden=3)
DIED = 9


def die_before_line(number: int) -> None:
    """Leave this process before it executes the `number`-th line of these files, without any clearing up."""
    lines = itertools.count(1)

    def trace(frame, event, _):
        if frame.f_code.co_filename not in (checkpoint.__file__, files.__file__):
            return None
        if event == "line" and next(lines) == number:
            os._exit(DIED)
        return trace

    sys.settrace(trace)


def die_at_size(size: int) -> None:
    """Let the system kill this process as it writes beyond the first `size` bytes of a file."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def die_at_each(
    moments: Iterable[int], die_at: Callable[[int], None], write: Callable[[Path], object], folder: Path
) -> None:
    """Call `write` with folder/MOMENT in a child that dies at that moment, for each, until one survives."""
    for moment in moments:
        child = os.fork()
        if not child:
            die_at(moment)
            write(folder / str(moment))
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == 0:
            return
        assert code in (DIED, -signal.SIGXFSZ), code


def main(folder: Path, text: Path) -> None:
    os.fsync = lambda _: None  # a kill, unlike a power cut, loses nothing that was written

    def create(run_folder: Path) -> Run:
        return start(read_text(text, CONFIG), CONFIG, run_folder)

    def advanced(run: Run, step: int) -> Run:
        return replace(run, state=advance(run.state, run.settings, run.splits.train, step))

    old = advanced(create(folder / "old"), 2)
    save(old)
    shutil.copytree(old.folder, folder / "new")
    new = advanced(replace(old, folder=folder / "new"), 3)
    save(new)

    def save_in(run_folder: Path) -> None:
        save(replace(new, folder=run_folder))

    def save_over_old(run_folder: Path) -> None:
        shutil.copytree(old.folder, run_folder)
        save_in(run_folder)

    die_at_each(itertools.count(1), die_before_line, create, folder / "create")
    die_at_each(itertools.count(1), die_before_line, save_over_old, folder / "save")
    sizes = range(0, (folder / "new" / "state.safetensors").stat().st_size + 200, 50)
    for size in sizes:
        shutil.copytree(old.folder, folder / "torn" / str(size))
    die_at_each(sizes, die_at_size, save_in, folder / "torn")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
