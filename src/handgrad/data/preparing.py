"""Who prepares a large text says how far that has come, to whoever wants to know."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, float], None]
"""Is told what is being done, in a few words, and which share of it is done."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have it told what is done meanwhile."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(what: str, done: float) -> None:
    """Tell it, if there is anybody."""
    if listener := _listener.get():
        listener(what, done)
