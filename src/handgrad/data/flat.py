"""Lines as flat tokens, each followed by one 0: a number for each, and their tokens in another order."""

from collections.abc import Iterator

import numpy as np

LINES_AT_ONCE = 1 << 14
"""Each token moved needs an index of eight bytes."""


def hashes(tokens: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """A 64-bit number for each line, the same for equal ones: products of tokens and random odd numbers, summed.

    Args:
        tokens: (N,) integers.
        starts: (lines + 1,) where in it each line starts, and where the last one ends.

    Returns:
        (lines,) uint64.
    """
    numbers = np.empty(len(starts) - 1, np.uint64)
    factors = np.random.Philox(key=7).random_raw(longest(starts)) | np.uint64(1)
    for first in range(0, len(numbers), LINES_AT_ONCE):
        bounds = starts[first : first + LINES_AT_ONCE + 1]
        places = np.arange(bounds[-1] - bounds[0]) - np.repeat(bounds[:-1] - bounds[0], np.diff(bounds))
        products = (tokens[bounds[0] : bounds[-1]].astype(np.uint64) + np.uint64(1)) * factors[places]
        numbers[first : first + LINES_AT_ONCE] = np.add.reduceat(products, bounds[:-1] - bounds[0])
    return numbers


def longest(starts: np.ndarray) -> int:
    """Tokens of the longest line, its end included."""
    parts = range(0, len(starts) - 1, 1 << 20)
    return max(int(np.diff(starts[first : first + (1 << 20) + 1]).max()) for first in parts)


def rearranged(tokens: np.ndarray, starts: np.ndarray, order: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The lines in another order, some at a time.

    Args:
        tokens: (N,) integers.
        starts: (lines + 1,) as `hashes` takes them.
        order: (M,) numbers of lines.

    Yields:
        Tokens of some lines, flat, and how many each has.
    """
    for first in range(0, len(order), LINES_AT_ONCE):
        lines = order[first : first + LINES_AT_ONCE]
        lengths = starts[lines + 1] - starts[lines]
        ends = np.cumsum(lengths)
        yield tokens[np.arange(ends[-1]) + np.repeat(starts[lines] + lengths - ends, lengths)], lengths


def permuted(tokens: np.ndarray, starts: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The tokens of the lines in another order, flat.

    Example:
        >>> permuted(np.array([5, 13, 1, 0, 2, 0]), np.array([0, 4, 6]), np.array([1, 0]))
        array([ 2,  0,  5, 13,  1,  0])
    """
    parts = [some for some, _ in rearranged(tokens, starts, order)]
    return np.concatenate(parts) if parts else tokens[:0]
