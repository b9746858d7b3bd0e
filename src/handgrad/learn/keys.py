"""Single key presses, where there is a terminal to read them from."""

import contextlib
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Iterator

from handgrad.keys import cbreak


@contextlib.contextmanager
def pressed(tell: Callable[[str], None]) -> Iterator[None]:
    """Call `tell` with every key, from a thread; with the first letter of every line where keys cannot be read singly.

    The terminal is as it was when the block is left.
    """
    threading.Thread(target=_read, args=(tell,), daemon=True).start()
    if importlib.util.find_spec("termios") is None:
        yield
        return
    with cbreak():
        yield


def _read(tell: Callable[[str], None]) -> None:
    while data := os.read(sys.stdin.fileno(), 64):
        for key in data.decode(errors="ignore").strip():
            tell(key)
