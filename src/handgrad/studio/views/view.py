"""What every view is to the server."""

from typing import Any, Protocol

from handgrad.studio.events import Events


class View(Protocol):
    """A part of the page with data of its own.

    `name` is the topic of its events and a part of the addresses of its questions.
    """

    name: str

    async def run(self, events: Events) -> None:
        """Publish what it shows, and whatever changes, until it is cancelled."""

    async def ask(self, question: dict[str, Any]) -> Any:
        """Answer a question of the page.

        Raises:
            HandgradError: a question that makes no sense, or what it needs is not there.
        """
