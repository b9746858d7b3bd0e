"""Who prepares a large text says how far that has come, to whoever wants to know."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, float], None]
"""Is told what is being done, in a few words, and which share of it is done; at the end, of nothing."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have it told what is prepared meanwhile."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(what: str, done: float) -> None:
    """Tell who listens, if anybody does."""
    if listener := _listener.get():
        listener(what, done)
