"""What a driver asks of workers, wherever they are."""

from typing import NamedTuple, Protocol

from handgrad.sweep.work import Done, Work


class Lost(NamedTuple):
    """Work whose worker died, or whose machine did."""

    why: str


class Workers(Protocol):
    """Workers that take some work each."""

    def free(self) -> int:
        """How many have nothing to do."""
        ...

    def size(self) -> int:
        """How many there are."""
        ...

    def begin(self, key: str, work: Work) -> None:
        """Give one of these some work, which is known by a key."""
        ...

    def ended(self, seconds: float) -> list[tuple[str, Done | Lost]]:
        """What has ended, in no order; waits so many seconds for it at most."""
        ...

    def close(self) -> None:
        """Let them go, whatever they do."""
        ...
