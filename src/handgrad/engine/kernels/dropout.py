"""Dropout, its masks those of `handgrad.training.masks`."""

import numpy as np

from handgrad.engine.compiling import compiled
from handgrad.engine.philox import philox
from handgrad.engine.vectors import WIDE, load, store

AT_ONCE = 8
"""So many numbers of 32 bits Philox makes at once."""
_LOW, _HALF, _ZERO = np.uint64(0xFFFFFFFF), np.uint64(32), np.float32(0)


@compiled
def draw_mask(mask, size, share, key0, key1, place):
    """A mask that is 0 with probability `share`, else 1 / (1 − share).

    Args:
        mask: with room for `size` numbers, rounded up to a multiple of AT_ONCE.
        size: how many are drawn.
        share: below 1.
        key0: the seed.
        key1: the step.
        place: of the mask's name among the random numbers.
    """
    kept, threshold = np.float32(1) / np.float32(1 - share), np.uint64(share * 2.0**32)
    for start in range(0, size, AT_ONCE):
        i = start
        for word in philox(start // AT_ONCE + 1, key0, key1, place, 1):
            mask[i] = kept if (word & _LOW) >= threshold else _ZERO
            mask[i + 1] = kept if (word >> _HALF) >= threshold else _ZERO
            i += 2


@compiled
def dropout(y, x, mask, n_columns):
    """`y = mask * x`, forward as backward; `y` may be `x`.

    Rows of the mask lie close together, `n_columns` apart. What only pads is 0 in `x`, so it does not matter which
    number of the mask it meets; there is one more row than in `x`.
    """
    for n in range(y.shape[0]):
        row = mask[n * n_columns : n * n_columns + y.shape[1]]
        for j in range(0, y.shape[1], WIDE):
            store(y[n], j, load(row, j) * load(x[n], j))
