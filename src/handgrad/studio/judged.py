"""The process that runs a program: it judges it, and then answers questions about it until it is ended.

It is forked from one that has imported PyTorch and this module, so that no program can harm another, or the server.
"""

from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from handgrad.checker.guard import guarded
from handgrad.checker.inspection import check_file, check_source
from handgrad.checker.judge.interpretation import Interpretation
from handgrad.checker.read.local_modules import files_of
from handgrad.checker.read.source import parse_code
from handgrad.checker.report import Report
from handgrad.checker.run.machine import Machine
from handgrad.errors import HandgradError
from handgrad.studio.events import encoded
from handgrad.studio.flow import Flow

torch.set_num_threads(1)

EXAMPLE = """
import torch
x = torch.randn(3, 2, requires_grad=True)
W = torch.randn(2, 4, requires_grad=True)
y = x @ W
loss = (y ** 2).mean()
dy = 2 * y
dW = x.T @ dy
"""


def warm_up() -> None:
    """Have all imported that a check needs."""
    judged = Judged(lambda look: check_source(parse_code(EXAMPLE), Machine(None), look=look))
    judged.answer({"what": "everything"})


class Readings:
    """Keeps the first interpretations with a gradient that it is shown; each holds the values of a whole pass."""

    most = 4

    def __init__(self) -> None:  # noqa: D107
        self.found: list[Interpretation] = []

    def __call__(self, interpretation: Interpretation) -> None:
        """Keep it, where it is one of the first."""
        if len(self.found) < self.most and interpretation.judgements:
            self.found.append(interpretation)


class Judged:
    """A program that was judged, and what can be asked of it."""

    def __init__(self, check: Callable[[Readings], Report]):
        """Judge it, by a check that is told who looks on.

        Raises:
            HandgradError: there is nothing to judge.
        """
        readings = Readings()
        report = check(readings)
        self.flow, self.file = Flow(report, readings.found), report.file or "the program"

    def answer(self, question: dict[str, Any]) -> Any:
        """The answer to one question of the page.

        Raises:
            HandgradError: a question that makes no sense.
        """
        with guarded(self.file):
            match question:
                case {"what": "overview"}:
                    return self.flow.overview()
                case {"what": "everything"}:
                    return self._everything()
                case {"what": "detail", "step": int(step)}:
                    return self.flow.detail(step)
                case {"what": "element", "step": int(step)}:
                    cell, index = question.get("cell"), question.get("index")
                    return self.flow.element(step, _numbers(cell), _numbers(index))
        raise HandgradError("this question is not understood", got=question.get("what"))

    def _everything(self) -> dict[str, Any]:
        """The answers to what a page asks by itself, by the question as the page writes it."""
        questions = [
            question
            for step in range(len(self.flow.steps))
            for question in ({"what": "detail", "step": step}, {"what": "element", "step": step, "cell": None})
        ]
        return {encoded(question): self.answer(question) for question in questions}


def _numbers(given: Any) -> Any:
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(i, int) for i in given):
        raise HandgradError("this is no place in a tensor", got=given)
    return tuple(given)


def live(connection: Connection, path: Path, **options: Any) -> None:
    """Judge a program, send what came of it, and answer questions until the other end is closed.

    Raises:
        HandgradError: there is nothing to judge.
    """
    judged = Judged(lambda look: check_file(path, look=look, **options))
    files = [str(file) for file in files_of(path)]
    connection.send_bytes(encoded({**judged.answer({"what": "overview"}), "files": files}).encode())
    while True:
        try:
            question = connection.recv()
        except (EOFError, OSError):
            return
        connection.send_bytes(_said(question, judged))


def _said(question: dict[str, Any], judged: Judged) -> bytes:
    try:
        return encoded(judged.answer(question)).encode()
    except HandgradError as error:
        return encoded({"error": str(error)}).encode()


if __name__ != "__main__":
    warm_up()
