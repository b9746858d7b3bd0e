"""How the gradients of the program come about, step by step, as `handgrad derive --explain` tells it."""

import asyncio
from pathlib import Path
from typing import Any

from handgrad.errors import HandgradError
from handgrad.studio.events import Events
from handgrad.studio.programs import answering, in_thread

LONGEST_S = 120.0


class DerivationView:
    """The derivation of the program that the view of the backward pass shows, made anew after each of its verdicts.

    Its state is what `derivation_of` answers, with an `error` in its place where there is none.
    """

    name = "derivation"

    def __init__(self, path: Path, *, loss: str | None = None, data: Path | None = None, timeout: float = 60.0):
        """The options are those of `handgrad check`."""
        self.path = path
        self.options = {"loss": loss, "data": data, "timeout": timeout}

    async def run(self, events: Events) -> None:
        """Derive once the verdict is there, so that it comes first; what a save has overtaken is left."""
        deriving, version = None, None
        try:
            async for state in events.changes("backward"):
                found = (state["document"] or {}).get("version")
                if found != version and deriving is not None:
                    deriving.cancel()
                if found != version and state["status"] != "judging":
                    version = found
                    deriving = asyncio.create_task(self._derive(events))
        finally:
            if deriving is not None:
                deriving.cancel()

    async def ask(self, question: dict[str, Any]) -> Any:
        """There is nothing to be asked."""
        raise HandgradError("this view answers no questions", got=question.get("what"))

    async def _derive(self, events: Events) -> None:
        worker = await in_thread(answering, derived, self.path, self.options)
        try:
            found = await in_thread(worker.received, LONGEST_S, "deriving takes too long")
        except HandgradError as error:
            found = {"error": str(error)}
        finally:
            worker.close()
        events.publish(self.name, found)


def derived(path: Path, options: dict[str, Any]) -> dict[str, Any]:
    """In the process itself: what needs PyTorch is imported there."""
    from handgrad.studio.derivations import derivation_of

    return derivation_of(path, **options)
