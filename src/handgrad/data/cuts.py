"""Where the lines are cut into those to train on, to validate and to test."""

import numpy as np

MIN_LINES = 10
"""The fewest lines that leave one for each split."""

MANY_TIMES = 10
"""Where each line comes so often in the mean, equal ones are not kept together."""


def shares(n_lines: int) -> tuple[int, int]:
    """Behind 80 % of the lines, and behind 90 %."""
    return int(0.8 * n_lines), int(0.9 * n_lines)


def are_repeated(n_lines: int, n_distinct: int) -> bool:
    """Whether a text is one of few lines that come again and again, so that how often they do is what it shows."""
    return n_distinct < MIN_LINES or n_lines > MANY_TIMES * n_distinct


def between_kinds(firsts: np.ndarray, wanted: tuple[int, int]) -> tuple[int, int]:
    """Where to cut, next to what is wanted, so that no equal lines are parted and no split is empty.

    Args:
        firsts: (kinds,) the place of the first line of each kind, rising; those like it are behind it.
        wanted: two places.
    """
    kinds = len(firsts)
    second = min(int(np.searchsorted(firsts, wanted[1])), kinds - 1)
    first = min(int(np.searchsorted(firsts, wanted[0])), second - 1)
    return int(firsts[first]), int(firsts[second])
