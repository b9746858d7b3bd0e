"""Programs, each judged in a process of its own, forked from a warm one."""

import asyncio
import contextlib
import json
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from handgrad.errors import HandgradError
from handgrad.studio.events import encoded

GRACE_S = 15.0
"""Seconds that judging may take beyond those that the program may run."""
START_S = 60.0
"""Seconds in which PyTorch must have been imported."""
ANSWER_S = 30.0

_PRELOADED = "handgrad.studio.judged"
_context: Any = multiprocessing.get_context(
    "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
)


class ProgramError(HandgradError):
    """A program that could not be judged, or is not there to be asked any more."""


def warm() -> None:
    """Begin to import PyTorch, without waiting for it."""
    if _context.get_start_method() == "forkserver":
        from multiprocessing import forkserver

        _context.set_forkserver_preload([_PRELOADED])
        forkserver.ensure_running()


class Worker:
    """A function at work in a process of its own, which what it runs cannot outlive or harm."""

    def __init__(self, function: Callable[..., Any], *arguments: Any, **options: Any):
        """Start it; it is called with a connection first, and sends JSON."""
        warm()
        self._lock = threading.Lock()
        self._connection, theirs = _context.Pipe()
        self._process: Any = _context.Process(target=_work, args=(theirs, function, arguments, options), daemon=True)
        self._process.start()
        theirs.close()

    def received(self, seconds: float, late: str) -> Any:
        """What it sends next.

        Raises:
            ProgramError: an error that it sends, or that it sends nothing in time.
        """
        try:
            if not self._connection.poll(seconds):
                self.close()
                raise ProgramError(late, next_step="Is there a loop that never ends?")
            answer = json.loads(self._connection.recv_bytes())
        except (EOFError, OSError):
            raise ProgramError(
                "the program ended without an answer", next_step="Does it exit, or need a lot of memory?"
            ) from None
        if isinstance(answer, dict) and answer.get("error"):
            raise ProgramError(answer["error"].rstrip("."))
        return answer

    def ask(self, question: Mapping[str, Any]) -> Any:
        """What it answers to a question.

        Raises:
            ProgramError: as of `received`.
        """
        with self._lock:
            with contextlib.suppress(OSError):
                self._connection.send(dict(question))
            return self.received(ANSWER_S, "there is no answer")

    def close(self) -> None:
        """End its process; who waits for an answer is told so."""
        self._process.kill()
        self._process.join()


class Program(Worker):
    """A program in a process of its own, which is judged, and then asked.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "square.py"
        >>> _ = file.write_text('''import torch
        ... x = torch.randn(3, requires_grad=True)
        ... loss = (x**2).sum()
        ... dx = 2 * x''')
        >>> program = Program(file, loss=None, data=None, timeout=10.0)
        >>> program.judged()["summary"]
        'The gradient is right.'
        >>> program.close()
    """

    def __init__(self, path: Path, *, loss: str | None, data: Path | None, timeout: float):
        """The options are those of `handgrad check`."""
        self.timeout = timeout
        super().__init__(_live, path, loss=loss, data=data, timeout=timeout)

    def judged(self) -> dict[str, Any]:
        """What is to be seen at first.

        Raises:
            ProgramError: what keeps it from being judged, as a sentence.
        """
        return self.received(START_S + self.timeout + GRACE_S, f"stopped after {self.timeout:g} s")


def answering(function: Callable[..., Any], *arguments: Any, **options: Any) -> Worker:
    """The process of a function that sends one answer, in JSON."""
    return Worker(_answer, function, *arguments, **options)


def in_a_process(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What a function answers, in JSON, in a process of its own: for what needs the checker, which the server lacks.

    Raises:
        ProgramError: what it raises of this kind, or it does not answer.
    """
    worker = answering(function, *arguments, **options)
    try:
        return worker.received(START_S, "there is no answer")
    finally:
        worker.close()


def _work(connection: Connection, function: Callable[..., Any], arguments: tuple[Any, ...], options: Any) -> None:
    """In the process itself: PyTorch is imported here at the latest."""
    _keep_apart()
    try:
        function(connection, *arguments, **options)
    except HandgradError as error:
        connection.send_bytes(encoded({"error": str(error)}).encode())
    except ModuleNotFoundError as error:
        told = f"this needs {error.name}: pip install 'handgrad[torch]'"
        connection.send_bytes(encoded({"error": told}).encode())


def _live(connection: Connection, path: Path, **options: Any) -> None:
    from handgrad.studio.judged import live

    live(connection, path, **options)


def _answer(connection: Connection, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
    connection.send_bytes(encoded(function(*arguments, **options)).encode())


def _keep_apart() -> None:
    """What the program prints is lost, and Ctrl-C in the terminal is not for it."""
    if hasattr(os, "setsid"):
        os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123


async def in_thread(function: Any, *arguments: Any, **options: Any) -> Any:
    """The same without holding up the server."""
    return await asyncio.to_thread(function, *arguments, **options)
