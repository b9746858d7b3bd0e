"""Programs, each judged in a process of its own, forked from a warm one."""

import asyncio
import contextlib
import json
import multiprocessing
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


class Program:
    """One program in a process of its own.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "square.py"
        >>> _ = file.write_text('''import torch
        ... x = torch.randn(3, requires_grad=True)
        ... loss = (x**2).sum()
        ... dx = x''')
        >>> program = Program()
        >>> program.judge(file, loss=None, data=None, timeout=10.0)["summary"]
        '0 of 1 gradient is right; 1 line is at fault.'
        >>> program.close()
    """

    def __init__(self) -> None:  # noqa: D107
        self._lock = threading.Lock()
        self._process: Any = None
        self._connection: Connection | None = None

    def judge(self, path: Path, **options: Any) -> dict[str, Any]:
        """What is to be seen at first.

        Args:
            path: the file.
            options: `loss`, `data` and `timeout`, as of `handgrad check`.

        Raises:
            ProgramError: what keeps it from being judged, as a sentence.
        """
        with self._lock:
            self._connection, theirs = _context.Pipe()
            self._process = _context.Process(target=_live, args=(theirs, path, options), daemon=True)
            self._process.start()
            theirs.close()
        timeout = options["timeout"]
        return self._received(START_S + timeout + GRACE_S, f"stopped after {timeout:g} s")

    def ask(self, question: Mapping[str, Any]) -> Any:
        """The answer to a question about it.

        Raises:
            ProgramError: it is gone, or there is no answer.
        """
        with self._lock:
            if self._connection is None:
                raise ProgramError("the program is not there any more")
            with contextlib.suppress(OSError):
                self._connection.send(dict(question))
            return self._received(ANSWER_S, "there is no answer")

    def _received(self, seconds: float, late: str) -> Any:
        connection = self._connection
        try:
            if connection is None or not connection.poll(seconds):
                self.close()
                raise ProgramError(late, next_step="Is there a loop that never ends?")
            answer = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            raise ProgramError(
                "the program ended without an answer", next_step="Does it exit, or need a lot of memory?"
            ) from None
        if isinstance(answer, dict) and "error" in answer:
            raise ProgramError(answer["error"].rstrip("."))
        return answer

    def close(self) -> None:
        """End its process; a question that waits is told so."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join()


def in_a_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function answers in a process of its own, for what needs the checker, which the server does not import.

    Raises:
        ProgramError: what it raises of this kind, or it does not answer.
    """
    ours, theirs = _context.Pipe()
    process = _context.Process(target=_answer, args=(theirs, function, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(START_S):
            raise ProgramError("there is no answer")
        answer, error = ours.recv()
    except (EOFError, OSError):
        raise ProgramError("there is no answer") from None
    finally:
        process.kill()
        process.join()
    if error is not None:
        raise ProgramError(error.rstrip("."))
    return answer


def _answer(connection: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        connection.send((function(*arguments), None))
    except HandgradError as error:
        connection.send((None, str(error)))


def _live(connection: Connection, path: Path, options: dict[str, Any]) -> None:
    """In the process itself: PyTorch is imported here at the latest."""
    try:
        from handgrad.studio.judged import live
    except ModuleNotFoundError as error:
        connection.send_bytes(
            encoded({"error": f"the checker needs {error.name}: pip install 'handgrad[torch]'"}).encode()
        )
        return
    live(connection, path, options)


async def in_thread(function: Any, *arguments: Any, **options: Any) -> Any:
    """The same without holding up the server."""
    return await asyncio.to_thread(function, *arguments, **options)
