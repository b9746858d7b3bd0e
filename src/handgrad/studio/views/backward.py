"""The backward pass of one program: judged at each save, and looked at line by line."""

import asyncio
from pathlib import Path
from typing import Any

from handgrad.errors import HandgradError
from handgrad.studio.documents import Document, read_document, save_document
from handgrad.studio.events import Events
from handgrad.studio.programs import Program, in_a_process, in_thread, warm
from handgrad.studio.watching import saves


class BackwardView:
    """A script or notebook: its text, what the checker says of it, and the flow of its gradients.

    Its state has a `status`, "judging", "judged" or "failed", the `document`, what was `judged` last and the
    `error` that kept it from being judged; `hint` says how much is given away unasked.
    """

    name = "backward"

    def __init__(
        self, path: Path, *, hint: int = 2, loss: str | None = None, data: Path | None = None, timeout: float = 60.0
    ):
        """The options are those of `handgrad check`."""
        self.path = path
        self.options = {"loss": loss, "data": data, "timeout": timeout}
        self.document: Document | None = None
        self.program: Program | None = None
        self.files = {path}
        self.state: dict[str, Any] = {
            "status": "judging", "document": None, "judged": None, "error": None, "hint": hint,
        }  # fmt: skip

    async def run(self, events: Events) -> None:
        """Judge the file now and at each save of it, or of a module beside it that it imports."""
        self._publish(events, document=await in_thread(self._read))
        warm()
        judging = asyncio.create_task(self._judge(events))
        try:
            async for _ in saves(lambda: self.files):
                judging.cancel()
                self._publish(events, status="judging", document=await in_thread(self._read))
                judging = asyncio.create_task(self._judge(events))
        finally:
            judging.cancel()
            if self.program is not None:
                self.program.close()

    async def ask(self, question: dict[str, Any]) -> Any:
        """A question about the program that was judged last, or what is to be saved."""
        match question:
            case {"what": "save", "version": str(version), "parts": list(parts)}:
                return await in_thread(self._save, version, parts)
        if self.program is None:
            raise HandgradError("there is no program that was judged")
        return await in_thread(self.program.ask, question)

    def _publish(self, events: Events, **changed: Any) -> None:
        self.state = {**self.state, **changed}
        events.publish(self.name, self.state)

    def _read(self) -> dict[str, Any] | None:
        try:
            self.document = read_document(self.path)
        except HandgradError:
            self.document = None
            return None
        return self.document.to_json()

    def _save(self, version: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
        document = self.document
        if document is None or document.version != version:
            raise HandgradError("the file was changed elsewhere meanwhile", next_step="Look at it, and save again.")
        backup = in_a_process(save_document, document, {part["cell"]: part["text"] for part in parts})
        return {"backup": backup}

    async def _judge(self, events: Events) -> None:
        program = None
        try:
            program = await in_thread(Program, self.path, **self.options)
            judged = await in_thread(program.judged)
        except HandgradError as error:
            self._publish(events, status="failed", error=str(error))
        except asyncio.CancelledError:
            if program is not None:
                program.close()
            raise
        else:
            before, self.program = self.program, program
            self.files = {self.path, *map(Path, judged.pop("files"))}
            self._publish(events, status="judged", judged=judged, error=None)
            if before is not None:
                await in_thread(before.close)
            return
        if program is not None:
            await in_thread(program.close)


def judged_state(document: dict[str, Any], judged: dict[str, Any], hint: int) -> dict[str, Any]:
    """The state of the backward view once there is a verdict."""
    shown = {key: value for key, value in judged.items() if key != "files"}
    return {"status": "judged", "document": document, "judged": shown, "error": None, "hint": hint}
