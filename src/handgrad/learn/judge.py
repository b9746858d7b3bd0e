"""From an answer to a verdict: what is seen at a glance here, the rest in a process with a time limit."""

import ast
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from handgrad.learn import source
from handgrad.learn.course import Exercise
from handgrad.learn.verdict import Verdict

START_LIMIT = 60.0
"""Seconds in which PyTorch must have been imported."""

GONE = object()


class Judge:
    """Judges answers, one at a time. The first one takes as long as PyTorch needs to be imported; it is then kept warm.

    Use it as a context manager.
    """

    def __init__(self):  # noqa: D107
        self.lock = threading.Lock()
        self.worker: _Worker | None = None

    def __enter__(self) -> "Judge":
        """Begin to import PyTorch, without waiting for it."""
        self.worker = _Worker()
        return self

    def __exit__(self, *_: object) -> None:
        """End the process that checks."""
        if self.worker is not None:
            self.worker.close()

    def judge(
        self, exercise: Exercise, text: str | None, folder: Path, cancelled: threading.Event | None = None
    ) -> Verdict | None:
        """The verdict on a text, read from the exercise's file; None where it was cancelled meanwhile.

        Args:
            exercise: the exercise that it answers.
            text: what the file holds; None where there is no such file.
            folder: the course folder, in which the program runs.
            cancelled: set it to stop the check.
        """
        seen = at_a_glance(exercise, text)
        if seen is not None:
            return seen
        with self.lock:
            if self.worker is not None and self.worker.ended:
                self.worker.close()
                self.worker = None
            self.worker = self.worker or _Worker()
            request = {"exercise": exercise.name, "text": text, "folder": str(folder)}
            return self.worker.ask(request, exercise.time_limit, cancelled or threading.Event())


class _Worker:
    """The process of `handgrad.learn.worker`."""

    def __init__(self):
        # A session of its own, so that Ctrl-C in the terminal does not reach it.
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "handgrad.learn.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, encoding="utf-8", start_new_session=True,
        )  # fmt: skip
        self.answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.answers.put(json.loads(line))
        self.answers.put(GONE)

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def ask(self, request: dict[str, Any], limit: float, cancelled: threading.Event) -> Verdict | None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        child = self._next(START_LIMIT, threading.Event())
        if not isinstance(child, int):
            return Verdict("error", "The process that checks did not start. Does 'python -c \"import torch\"' work?")
        answer = self._next(limit, cancelled)
        if answer is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
            self._next(START_LIMIT, threading.Event())
            if cancelled.is_set():
                return None
            return Verdict("timeout", f"Stopped after {limit:g} seconds. Is there a loop that never ends?")
        if not isinstance(answer, dict):
            return Verdict("error", "The program ended without an answer. Does it exit, or need a lot of memory?")
        return Verdict.from_json(answer)

    def _next(self, limit: float, cancelled: threading.Event) -> Any:
        """The next line; None when the time is up or it was cancelled."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline and not cancelled.is_set():
            with contextlib.suppress(queue.Empty):
                answer = self.answers.get(timeout=0.05)
                return GONE if answer is None else answer
        return None


def at_a_glance(exercise: Exercise, text: str | None) -> Verdict | None:
    """The verdict where the text alone decides, else None."""
    if text is None:
        return Verdict("gone", f"{exercise.file} is not there. A reset writes it anew.")
    try:
        ast.parse(text)
    except (SyntaxError, ValueError) as error:
        what = f"{type(error).__name__}: {getattr(error, 'msg', error)}"
        return Verdict("syntax", f"Python cannot read this yet. {what}.", getattr(error, "lineno", None))
    if source.cut(text) is None:
        return Verdict("changed", f"The line '{source.BEGIN}' is missing; put it back above your answer.")
    line = source.changed_line(text, exercise.text, exercise.sizes)
    if line is not None:
        return Verdict("changed", "This line was given and is needed as it was. Undo the change, or reset.", line)
    if source.unwritten(text, exercise.gradients) == exercise.gradients:
        return Verdict("unwritten", f"Write {', '.join(exercise.gradients)} below '{source.BEGIN}', and save.")
    if found := source.not_by_hand(text):
        line, name = found
        message = f"'{name}' has PyTorch find the gradient. Here it is yours to find: write it with the values above."
        return Verdict("forbidden", message, line)
    return None
