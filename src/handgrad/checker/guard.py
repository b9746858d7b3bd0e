"""What keeps a check from ending in anything but a report or a sentence.

The checker's own exceptions become one sentence, and what a program does to the process that runs it is undone.
"""

import builtins
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

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
    """A program runs in this process as in one of its own, and leaves it as it was.

    `sys.argv` is what it would see; `os._exit` ends it alone; the processes that it forks end with it, and what it
    makes of the builtins is undone.
    """
    process, arguments, functions = os.getpid(), sys.argv, dict(vars(builtins))
    fork: Any = getattr(os, "fork", None)
    children: list[int] = []

    def leave(status: int = 0) -> NoReturn:
        if os.getpid() != process:
            end_process(status)
        raise SystemExit(status)

    def forked() -> int:
        child = fork()
        children.append(child)
        return child

    os._exit, sys.argv = leave, [str(program)] if program else arguments
    if fork:
        os.fork = forked
    try:
        yield
    finally:
        os._exit, sys.argv = end_process, arguments
        vars(builtins).update(functions)
        if fork:
            os.fork = fork
        for child in children:
            with contextlib.suppress(OSError):  # it has ended
                if os.waitpid(child, os.WNOHANG)[0] == 0:
                    os.kill(child, signal.SIGKILL)
