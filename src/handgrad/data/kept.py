"""What is made of a large text once and kept: folders of files, whole or not there, and lines in files that are mapped.

A mapped file takes no memory of the process's own: the operating system reads what is looked at, shares it among all
processes that look at it, and drops it where memory is short. Files are written, never changed where they are mapped:
a full disk is an error there, not the end of the process.
"""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from handgrad.data.catalogue import cache_folder
from handgrad.errors import CorpusError
from handgrad.json_files import read_json
from handgrad.preparing import tell

FORMAT = 1
"""Raised where something else is kept under a name than before."""
PART = ".part"
"""Ends the name of a folder that is being made."""


class Lines(NamedTuple):
    """Lines, each followed by one 0.

    Args:
        tokens: flat.
        starts: (lines + 1,) of int64, where in it each line starts, and at last where the next would.
    """

    tokens: np.ndarray
    starts: np.ndarray


@dataclass(frozen=True)
class About:
    """The file beside those of a folder: how many bytes each of them has, and what is known of them."""

    sizes: dict[str, int]
    facts: dict[str, Any]


class LinesWriter:
    """Writes lines into two files of a folder, from which `lines_in` maps them.

    Args:
        folder: that is there.
        name: of the lines.
    """

    def __init__(self, folder: Path, name: str):  # noqa: D107
        self._tokens, self._starts = (path.open("xb") for path in _paths(folder, name))
        self._starts.write(np.zeros(1, np.int64).tobytes())
        self.n_tokens = self.n_lines = 0

    def add(self, tokens: np.ndarray, lengths: np.ndarray) -> None:
        """Some more lines: their tokens, flat, and how many each has."""
        self._tokens.write(tokens.tobytes())
        self._starts.write((self.n_tokens + np.cumsum(lengths, dtype=np.int64)).tobytes())
        self.n_tokens += len(tokens)
        self.n_lines += len(lengths)

    def __enter__(self) -> "LinesWriter":
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close both files."""
        self._tokens.close()
        self._starts.close()


def lines_in(folder: Path, name: str, dtype: np.dtype) -> Lines:
    """The lines that a `LinesWriter` has written, mapped."""
    tokens, starts = _paths(folder, name)
    return Lines(mapped(tokens, dtype), mapped(starts, np.dtype(np.int64)))


def mapped(path: Path, dtype: np.dtype) -> np.ndarray:
    """A file's numbers, flat, not to be changed."""
    return np.asarray(np.memmap(path, dtype, "r"))


def kept_folder() -> Path:
    """Where it is kept."""
    return cache_folder() / "texts"


def kept(name: str, make: Callable[[Path], dict[str, Any]]) -> tuple[Path, dict[str, Any]]:
    """The folder of that name, made if it is not there, by one process while others wait, and what is known of it.

    Args:
        name: says all that the content depends on.
        make: writes the files into the folder it is given, and returns what is known of them, for JSON.

    Raises:
        CorpusError: it cannot be written.
    """
    name = f"{name}-v{FORMAT}"
    folder = kept_folder() / name
    if (facts := _facts(folder)) is not None:
        return folder, facts
    with _errors_named(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder) as alone:
            if (facts := _facts(folder)) is not None:
                return folder, facts
            for left in (folder, *(folder.parent.glob(f"{name}.*{PART}") if alone else ())):
                shutil.rmtree(left, ignore_errors=True)
            part = Path(tempfile.mkdtemp(PART, f"{name}.", folder.parent))
            try:
                facts = make(part)
                _finish(part, facts)
                _rename(part, folder)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
            finally:
                tell("", 1.0)
    return folder, facts


def clear() -> int:
    """Remove all that is kept but what is being made; how many bytes that were. It is made again where it is needed."""
    freed = 0
    with _errors_named(kept_folder()):
        for folder in kept_folder().glob("*/"):
            whole = folder.name.removesuffix(PART).rpartition(".")[0] if folder.suffix == PART else folder.name
            with _alone(folder.with_name(whole), wait=False) as alone:
                if alone or folder.suffix != PART:
                    freed += n_bytes(folder)
                    shutil.rmtree(folder, ignore_errors=True)
    return freed


def n_bytes(folder: Path) -> int:
    """Of all files in a folder; 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _paths(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.tokens", folder / f"{name}.starts"


def _facts(folder: Path) -> dict[str, Any] | None:
    """What is known of a folder whose files are whole; None where they are not, or there is none."""
    try:
        about = read_json(folder / "about.json", About)
        whole = all((folder / name).stat().st_size == size for name, size in about.sizes.items())
    except (OSError, ValueError):
        return None
    return about.facts if whole else None


def _finish(folder: Path, facts: dict[str, Any]) -> None:
    """Write what is known of the files, and wait until all of them are on the disk."""
    files = [path for path in folder.iterdir() if path.is_file()]
    about = {"sizes": {path.name: path.stat().st_size for path in files}, "facts": facts}
    (folder / "about.json").write_text(json.dumps(about))
    for path in (*files, folder / "about.json"):
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def _rename(part: Path, folder: Path) -> None:
    try:
        part.rename(folder)
    except OSError:
        if _facts(folder) is None:
            raise
        shutil.rmtree(part, ignore_errors=True)  # another process was faster, where there are no locks


@contextmanager
def _alone(folder: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a folder, which ends with the process; whether it is held: not where there are no locks."""
    try:
        import fcntl
    except ImportError:
        yield False
        return
    with folder.with_name(f"{folder.name}.lock").open("w") as file:
        yield _locked(lambda: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)) or (
            wait and _waited(lambda: fcntl.flock(file, fcntl.LOCK_EX))
        )


def _waited(lock: Callable[[], None]) -> bool:
    tell("waiting for another process that prepares this text", 0.0)
    try:
        return _locked(lock)
    finally:
        tell("", 1.0)


def _locked(lock: Callable[[], None]) -> bool:
    try:
        lock()
    except OSError:
        return False
    return True


@contextmanager
def _errors_named(root: Path) -> Iterator[None]:
    """An OSError becomes a CorpusError that says what to do."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise CorpusError(
            "a large text cannot be prepared there", where=root, got=error.strerror or type(error).__name__,
            expected="room for a few times the text" if full else "a folder that can be written to",
            next_step=f"{'Free some space, or name' if full else 'Name'} another in the environment variable "
            "HANDGRAD_DATA.",
        ) from None  # fmt: skip
