"""Ctrl-C, which can get lost: an exception that is raised while C code calls Python, as a compiler may, is dropped."""

from collections.abc import Iterator
from contextlib import contextmanager

pressed = False
"""Whether it was pressed since the command began; long work looks here now and then."""
held = False
"""Whether it is to wait: then it is noted above, and raises nothing."""


@contextmanager
def held_back() -> Iterator[None]:
    """Let Ctrl-C raise nothing in this block, which other processes would wait for in vain."""
    global held
    held = True
    try:
        yield
    finally:
        held = False
