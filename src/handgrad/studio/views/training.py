"""Runs as they are trained: their losses, live, and what can be asked of each checkpoint."""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from handgrad.errors import HandgradError
from handgrad.studio.asking import Asked
from handgrad.studio.curves import drawn
from handgrad.studio.events import Events
from handgrad.studio.programs import in_thread
from handgrad.studio.runs import WatchedRun

LOOK_AGAIN_S = 0.4
MOST_POINTS = 3_000
MOST_RUNS = 40
FILE_POINTS = 400
"""Of a curve, as the page asks for it."""


class TrainingView:
    """One or several runs, each with its parts or seeds, looked at again and again.

    Its state has the `runs`, as `WatchedRun.to_json` says. The losses are asked for: all of a long run are too many.
    """

    name = "training"

    def __init__(self, runs: Sequence[Path]):
        """The run folders, in the order in which they are shown."""
        self._copies = tempfile.TemporaryDirectory(prefix="handgrad-studio-", ignore_cleanup_errors=True)
        self.runs: dict[str, WatchedRun] = {}
        self._asked = Asked()
        self._one_by_one = ThreadPoolExecutor(1)
        for folder in runs:
            self._add(folder, folder.name or str(folder.resolve()), None)

    async def run(self, events: Events) -> None:
        """Publish what has changed in the run folders, every now and then."""
        self._asked.warm()
        ending = asyncio.create_task(self._end_with(events))
        try:
            while True:
                if await in_thread(self.look):
                    events.publish(self.name, self.state)
                await asyncio.sleep(LOOK_AGAIN_S)
        finally:
            ending.cancel()
            self.close()

    async def _end_with(self, events: Events) -> None:
        """End what still waits for an answer once the streams are ended, which is before the server is."""
        async for _ in events.changes(self.name):
            pass
        self._asked.close()

    async def ask(self, question: dict[str, Any]) -> Any:
        """The losses of runs, or what a checkpoint makes of something."""
        if question.get("what") == "curves":
            return await in_thread(self.answer, question)
        return await asyncio.get_running_loop().run_in_executor(self._one_by_one, self.answer, question)

    @property
    def state(self) -> dict[str, Any]:
        """All runs, as they were when they were looked at last."""
        return {"runs": [run.to_json() for run in self.runs.values()]}

    def look(self) -> bool:
        """Look at all run folders again; whether anything has changed."""
        changed = [run.look() for run in list(self.runs.values())]
        known = {run.folder for run in self.runs.values()}
        for run in list(self.runs.values()):
            for name, folder in run.children:
                if folder not in known and len(self.runs) < MOST_RUNS:
                    self._add(folder, f"{run.name}/{name}", run.id)
                    changed.append(self.runs[str(len(self.runs) - 1)].look())
        return any(changed)

    def answer(self, question: dict[str, Any]) -> Any:
        """The same as `ask`, when it has come.

        Raises:
            HandgradError: a question that makes no sense, or what it is about cannot be read.
        """
        match question:
            case {"what": "curves", "runs": list(runs)}:
                return self._curves(runs, question)
            case {"what": str(), "run": str(run), "checkpoint": str(checkpoint)}:
                return self._answer(self._run(run), checkpoint, question)
        raise HandgradError("this question is not understood", got=question.get("what"))

    def everything(self) -> dict[str, Any]:
        """The answers to all that a page asks by itself, by the question as JSON: for one that is a file."""
        numbers = list(self.runs)
        questions: list[dict[str, Any]] = [
            {"what": "curves", "runs": [number for number in numbers if self.runs[number].losses.last],
             "points": FILE_POINTS, "log": log} for log in (False, True)
        ]  # fmt: skip
        for run in self.runs.values():
            for one in run.checkpoints:
                about = {"run": run.id, "checkpoint": one.id}
                questions += [{"what": what, **about} for what in ("samples", "letters", "layers", "updates")]
                questions.append({"what": "attention", **about, "line": run.example})
                questions.append({"what": "next", **about, "prompt": "", "temperature": 1, "top_k": 0})
        answers = {}
        for question in questions:
            try:
                answer = self.answer(question)
            except HandgradError as error:
                answer = {"without": str(error)}
            answers[json.dumps(question, separators=(",", ":"), ensure_ascii=False)] = answer
        return answers

    def close(self) -> None:
        """End the process that answers, and remove the copies."""
        self._asked.close()
        self._one_by_one.shutdown(wait=False)
        self._copies.cleanup()

    def _add(self, folder: Path, name: str, parent: str | None) -> None:
        number = str(len(self.runs))
        self.runs[number] = WatchedRun(number, folder, name, parent, Path(self._copies.name, number))

    def _run(self, number: Any) -> WatchedRun:
        run = self.runs.get(str(number))
        if run is None:
            raise HandgradError("there is no such run", got=number)
        return run

    def _answer(self, run: WatchedRun, checkpoint: str, question: dict[str, Any]) -> Any:
        """What a checkpoint makes of a question; asked again where its copy was replaced meanwhile by a newer one."""
        while True:
            there = run.checkpoints
            chosen = next((one for one in there if one.id == checkpoint), None)
            if chosen is None:
                return {"without": "This checkpoint was let go: of many only some are kept."}
            try:
                return self._asked.ask(chosen, question, there)
            except HandgradError:
                if chosen.folder.is_dir():
                    raise

    def _curves(self, numbers: list[Any], question: dict[str, Any]) -> dict[str, Any]:
        losses = {number: self._run(number).losses for number in numbers}
        last = max((one.last for one in losses.values()), default=1)
        first, stop = _number(question.get("first"), 1), _number(question.get("last"), last)
        points = int(min(max(_number(question.get("points"), 400), 2), MOST_POINTS))
        return {number: drawn(one, first, stop, points, question.get("log") is True) for number, one in losses.items()}


def _number(given: Any, otherwise: float) -> float:
    return float(given) if isinstance(given, int | float) and not isinstance(given, bool) else float(otherwise)
