"""Files of a run folder, written whole or not at all, and what is said of those that are damaged."""

import errno
import io
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from handgrad.errors import RunError


def write(folder: Path, name: str, content: bytes) -> None:
    """Write a file of the run folder whole or not at all: to a temporary name, flushed, renamed.

    Raises:
        RunError: it cannot be written; a file of that name from before is unchanged.
    """
    copy(folder, name, io.BytesIO(content))


def copy(folder: Path, name: str, source: BinaryIO) -> None:
    """As `write`, with what is read from a file or a pipe until it ends."""
    temporary = folder / f".{name}.{os.getpid()}.tmp"
    try:
        with errors_named(folder):
            with temporary.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(folder / name)
            _flush_folder(folder)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def clean(folder: Path, name: str = "*") -> None:
    """Remove what a kill in the middle of a `write` of that name left, by default of any."""
    for leftover in folder.glob(f".{name}.*.tmp"):
        leftover.unlink(missing_ok=True)


def make_within(folder: Path) -> None:
    """Make a folder in a run folder, unless it is there already; the run folder, where that has vanished, is not.

    Raises:
        RunError: it cannot be made.
    """
    with errors_named(folder):
        folder.mkdir(exist_ok=True)


def require_free(folder: Path) -> None:
    """Make sure that a run folder can be made there.

    Raises:
        RunError: there is something already.
    """
    with errors_named(folder):
        clean(folder, "config.json")
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if taken:
        raise RunError(
            "there is something here already", where=folder, expected="a new or empty folder",
            next_step=f"Choose another with --out{_or_go_on(folder)}.",
        )  # fmt: skip


def _or_go_on(folder: Path) -> str:
    """How to go on with the run or the sweep of a folder, if it is one."""
    for command, file in (("train", "config.json"), ("sweep", "sweep.json")):
        if (folder / file).exists():
            return f", or go on with 'handgrad {command} --resume {shlex.quote(str(folder))}'"
    return ""


def _flush_folder(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def errors_named(folder: Path) -> Iterator[None]:
    """An OSError while writing becomes a RunError that says what to do."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise RunError(
            "the run folder cannot be written", where=folder, got=error.strerror,
            next_step="Free some space, then go on with --resume." if full else "Choose a folder you may write to.",
        ) from None  # fmt: skip


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name.

    Raises:
        RunError: it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise damaged(path, error) from None


def damaged(path: Path, why: Any) -> RunError:
    """What to raise for a file that is not what was written."""
    return RunError(
        f"{path.name} is damaged", where=path.parent, got=str(why).splitlines()[0],
        next_step="Take it from a backup, or train anew.",
    )  # fmt: skip
