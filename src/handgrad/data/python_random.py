"""Python's own random numbers, drawn as microgpt.py draws them: first an order of the lines, then initial values."""

import random
from array import array

import numpy as np


class PythonRandom:
    """What a script that begins with `random.seed` and shuffles its lines draws.

    Args:
        seed: of `random.seed`.
        n_lines: how many lines are shuffled.

    Source: microgpt.py, 2026, https://gist.github.com/karpathy/8627fe009c40f57531cb18360106ce95.

    Example:
        >>> drawn = PythonRandom(seed=42, n_lines=5)
        >>> drawn.order
        array([3, 1, 2, 4, 0])
        >>> drawn.normal("C", (1, 2)).round(3)
        array([[-0.255, -0.034]])
    """

    def __init__(self, seed: int, n_lines: int):  # noqa: D107
        self._random = random.Random(seed)
        order = array("q", range(n_lines))
        self._random.shuffle(order)
        self.order = np.frombuffer(order, np.int64)
        """The line that comes first, and so on."""

    def normal(self, name: str, shape: tuple[int, ...]) -> np.ndarray:  # noqa: ARG002
        """The next standard normal numbers, row by row, float64."""
        return np.array([self._random.gauss(0, 1) for _ in range(int(np.prod(shape)))]).reshape(shape)
