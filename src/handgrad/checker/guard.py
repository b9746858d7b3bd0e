"""What keeps a check from ending in anything but a report or a sentence.

The checker's own exceptions become one sentence, and what a program does to the process that runs it is undone.
"""

import atexit
import builtins
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from operator import is_not
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


_PROTECTED: set[str] = set()
_watching: list[bool] = []
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_TRUNC


def _keep_protected(event: str, args: tuple[Any, ...]) -> None:
    """Refuse what would change a file of a program that is being checked."""
    if not _PROTECTED:
        return
    if event == "open":
        _, mode, flags = args
        if not (set(mode or "") & set("wax+") or (isinstance(flags, int) and flags & _WRITING)):
            return
    elif event not in ("os.remove", "os.rename", "os.truncate"):
        return
    for path in args[:2]:
        if isinstance(path, str | bytes | os.PathLike) and os.path.realpath(os.fsdecode(path)) in _PROTECTED:
            raise PermissionError(f"a program under check cannot change its own file {path}")


class World:
    """What a program makes of the functions of Python and PyTorch, which the checker itself relies on.

    It holds for the program's own lines alone: it is taken away when one has run and put back before the next.
    """

    def __init__(self, *holders: Any):
        """Remember what Python's builtins, and the modules and classes among `holders`, have now."""
        self._builtins, self._own = vars(builtins), dict(vars(builtins))
        self._its: dict[str, Any] = {}
        self._ours = [(holder, dict(vars(holder))) for holder in holders]
        self._theirs: list[tuple[Any, str, Any, Any]] = []

    @contextlib.contextmanager
    def of_the_program(self, looking: bool) -> Iterator[None]:
        """With what the program has made of them; with `looking`, what it makes of them now is seen."""
        modules = dict(sys.modules) if looking else {}
        self._put(theirs=True)
        self._builtins.update(self._its)
        try:
            yield
        finally:
            made = self._builtins.copy() if looking else {}
            self._builtins.update(self._own)  # first of all, since what follows needs them
            if looking:
                self._its = {key: its for key, its in made.items() if its is not self._own.get(key, its)}
            if len(sys.modules) < len(modules):
                sys.modules.update({name: module for name, module in modules.items() if name not in sys.modules})
            if looking or self._theirs:
                self._theirs = list(self._exchanged())
                self._put(theirs=False)

    def _exchanged(self) -> Iterator[tuple[Any, str, Any, Any]]:
        for holder, functions in self._ours:
            now = vars(holder)
            if any(map(is_not, map(now.get, functions), functions.values())):
                for key, ours in functions.items():
                    if (its := now.get(key, _GONE)) is not ours:
                        yield holder, key, its, ours
            if isinstance(holder, type):  # what it inherits may be hidden; a module loads some of its own when asked
                yield from ((holder, key, now[key], _GONE) for key in now.keys() - functions.keys())

    def _put(self, theirs: bool) -> None:
        for holder, key, its, ours in self._theirs:
            value = its if theirs else ours
            if isinstance(holder, type):
                type.__delattr__(holder, key) if value is _GONE else type.__setattr__(holder, key, value)
            elif value is _GONE:
                vars(holder).pop(key, None)
            else:
                vars(holder)[key] = value


_GONE = object()


@contextlib.contextmanager
def outlived(program: Path | None) -> Iterator[None]:
    """A program runs in this process as in one of its own, and leaves it as it was.

    `sys.argv` is what it would see; `os._exit` ends it alone; the processes that it forks end with it, nothing of it
    runs at the end of this one, and its own file stays as it is.
    """
    process, arguments, at_exit = os.getpid(), sys.argv, atexit.register
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
    atexit.register = lambda function, *_args, **_kwargs: function
    files = {os.path.realpath(program)} if program else set()
    _PROTECTED.update(files)
    if not _watching:
        sys.addaudithook(_keep_protected)
        _watching.append(True)
    if fork:
        os.fork = forked
    try:
        yield
    finally:
        os._exit, sys.argv, atexit.register = end_process, arguments, at_exit
        _PROTECTED.difference_update(files)
        if fork:
            os.fork = fork
        for child in children:
            with contextlib.suppress(OSError):  # it has ended
                if os.waitpid(child, os.WNOHANG)[0] == 0:
                    os.kill(child, signal.SIGKILL)
