"""What happened, told to every open page: the last of each topic, and whatever comes later."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

KEEP_ALIVE_S = 15.0


class Events:
    """The latest state of each topic; a page that opens later, or again, is told all of them.

    A page that reads slowly misses states in between, never the last one. To be used in the thread of the event loop.

    Example:
        >>> events = Events()
        >>> events.publish("backward", {"status": "judging"})
        >>> events.latest
        {'backward': {'status': 'judging'}}
    """

    def __init__(self) -> None:  # noqa: D107
        self.latest: dict[str, Any] = {}
        self._readers: set[_Reader] = set()
        self._closed = False

    def publish(self, topic: str, state: Any) -> None:
        """The state of a topic is another one now."""
        self.latest[topic] = state
        for reader in self._readers:
            reader.tell(topic)

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        for reader in self._readers:
            reader.wake.set()

    async def changes(self, topic: str) -> AsyncIterator[Any]:
        """The states of one topic, now and later."""
        async for topics in self._told():
            if topic in topics:
                yield self.latest[topic]

    async def stream(self) -> AsyncIterator[str]:
        """The states as server-sent events, each topic an event of its own."""
        yield "retry: 500\n\n"
        async for topics in self._told():
            for topic in sorted(topics):
                yield f"event: {topic}\ndata: {encoded(self.latest[topic])}\n\n"
            if not topics:
                yield ": still here\n\n"

    async def _told(self) -> AsyncIterator[set[str]]:
        """The topics with another state than before; none after a while in which nothing happened."""
        reader = _Reader(set(self.latest))
        self._readers.add(reader)
        try:
            while not self._closed:
                yield reader.take()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.wake.wait(), KEEP_ALIVE_S)
        finally:
            self._readers.discard(reader)


class _Reader:
    """One open page: the topics that it was not told of yet."""

    def __init__(self, topics: set[str]) -> None:
        self.topics = topics
        self.wake = asyncio.Event()
        self.wake.set()

    def tell(self, topic: str) -> None:
        self.topics.add(topic)
        self.wake.set()

    def take(self) -> set[str]:
        self.wake.clear()
        taken, self.topics = self.topics, set()
        return taken


def encoded(state: Any) -> str:
    """As JSON on one line; a number that is not finite is null.

    >>> encoded({"loss": float("nan")})
    '{"loss":null}'
    """
    try:
        return json.dumps(state, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(state), separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {key: _finite(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(held) for held in value]
    return value
