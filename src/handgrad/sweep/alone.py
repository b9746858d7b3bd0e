"""One process at a time works on a sweep."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from handgrad.errors import RunError
from handgrad.training.files import errors_named

LOCK = ".lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a sweep's folder, which the operating system gives free where the process dies; nothing where it cannot.

    Raises:
        RunError: another process holds it.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with errors_named(folder):
        file = (folder / LOCK).open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                "another process is at work on this sweep", where=folder, next_step="Wait for it, or end it first."
            ) from None
        except OSError:  # a file system without locks
            pass
        yield
