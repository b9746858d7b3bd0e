"""What keeps a check from ending in anything but a report or a sentence.

The checker's own exceptions become one sentence, and what a program does to the process that runs it is undone.
"""

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from handgrad.errors import HandgradError

OURS = Path(__file__).parents[1]


class CheckError(HandgradError):
    """A program in which there is nothing to check."""


@contextlib.contextmanager
def guarded(where: object) -> Iterator[None]:
    """Say in one sentence that the checker failed; `where` is the file, function or line it was about.

    Raises:
        CheckError: with the exception as its cause.
    """
    try:
        yield
    except (HandgradError, MemoryError):
        raise
    except Exception as error:
        frame = [f for f in traceback.extract_tb(error.__traceback__) if OURS in Path(f.filename).parents][-1]
        raise CheckError(
            f"the checker itself failed: {said(error)} ({Path(frame.filename).name}, line {frame.lineno})",
            where=where,
            next_step="This says nothing about the gradients. Please report it, with the program.",
        ) from error


def said(error: BaseException) -> str:
    """The exception's name and the first line of what it says, where it says something.

    >>> said(ValueError("too small\\nby far")), said(NotImplementedError())
    ('ValueError: too small', 'NotImplementedError')
    """
    try:
        text = str(error).strip().split("\n")[0]
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


end_process = os._exit


@contextlib.contextmanager
def outlived(program: Path | None) -> Iterator[None]:
    """`os._exit` ends the program and not the process, but in a child; `sys.argv` is what the program would see."""
    process, arguments = os.getpid(), sys.argv

    def leave(status: int = 0) -> NoReturn:
        if os.getpid() != process:
            end_process(status)
        raise SystemExit(status)

    os._exit, sys.argv = leave, [str(program)] if program else arguments
    try:
        yield
    finally:
        os._exit, sys.argv = end_process, arguments
