"""What a process reads of a minibatch that several share."""

from typing import NamedTuple

import numpy as np


class Batch(NamedTuple):
    """A minibatch, or a share of it.

    Args:
        X: what is read, as the family reads it.
        Y: what follows; −1 where it does not count.
        lines: which rows of these are this process's share; the others decide about dropout masks alone.
        of: how many targets the whole minibatch has; None for those of Y.

    Example:
        >>> batch = Batch(np.array([[0, 5, 3], [0, 2, 0]]), np.array([[5, 3, 0], [2, 0, -1]]), slice(1, 2))
        >>> batch.here, batch.of_all
        (2, 5)
    """

    X: np.ndarray
    Y: np.ndarray
    lines: slice = slice(None)
    of: int | None = None

    @property
    def here(self) -> int:
        """How many targets are in the share."""
        return int(np.count_nonzero(self.Y[self.lines] >= 0))

    @property
    def of_all(self) -> int:
        """How many targets the minibatch has."""
        return int(np.count_nonzero(self.Y >= 0)) if self.of is None else self.of


def share_of(rank: int, many: int, n: int) -> slice:
    """Which of n examples a process takes: those after one another, as many as the others take or one more.

    Example:
        >>> [share_of(rank, 3, 8) for rank in range(3)]
        [slice(0, 2, None), slice(2, 5, None), slice(5, 8, None)]
    """
    return slice(rank * n // many, (rank + 1) * n // many)
