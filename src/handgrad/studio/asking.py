"""Questions about checkpoints, answered in a process of their own: the models are made there, not in the server."""

import contextlib
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from handgrad.errors import HandgradError
from handgrad.studio.programs import ProgramError, Worker
from handgrad.studio.snapshots import Checkpoint

ANSWER_S = 120.0
"""In which an answer must have come; before the first the loops may have to be compiled."""


class Asked:
    """The process that answers; one that has ended is followed by another."""

    def __init__(self) -> None:  # noqa: D107
        self._worker: _Answering | None = None
        self._lock = threading.Lock()
        self._closed = False

    def warm(self) -> "_Answering":
        """Start it, if it is not there, without waiting for it."""
        with self._lock:
            if self._closed:
                raise HandgradError("the page is being closed")
            if self._worker is None or not self._worker.alive:
                self._worker = _Answering(_live)
            return self._worker

    def ask(self, checkpoint: Checkpoint, question: dict[str, Any], there: Sequence[Checkpoint]) -> Any:
        """What it answers to a question about a checkpoint, one of those that there are of its run.

        Raises:
            HandgradError: the question makes no sense, or what it is about cannot be read.
        """
        answer = self.warm().ask({"question": question, "checkpoint": checkpoint, "there": list(there)})
        if "refused" in answer:
            raise HandgradError(answer["refused"].rstrip("."))
        return answer

    def close(self) -> None:
        """End it."""
        with self._lock:
            self._closed = True
            if self._worker is not None:
                self._worker.close()


class _Answering(Worker):
    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def ask(self, question: Any) -> Any:
        with self._lock, contextlib.suppress(OSError):
            self._connection.send(question)
            with contextlib.suppress(ProgramError):
                return self.received(ANSWER_S, "there is no answer")
            self.close()
        raise HandgradError("the process that reads the model was ended", next_step="Ask again: another is started.")


def _live(connection: Connection) -> None:
    from handgrad.studio.trained import live

    live(connection)
