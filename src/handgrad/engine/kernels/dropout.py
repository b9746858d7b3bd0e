"""Dropout, its masks those of `handgrad.training.masks`."""

import numpy as np

from handgrad.engine.philox import philox
from handgrad.engine.tape import Dense, Integer, Number, Rows, kernel
from handgrad.engine.vectors import WIDE, load, store

AT_ONCE = 8
"""So many numbers of 32 bits Philox makes at once."""
_LOW, _HALF, _ZERO = np.uint64(0xFFFFFFFF), np.uint64(32), np.float32(0)


@kernel
def draw_mask(mask: Dense, share: Number, key0: Integer, key1: Integer, place: Integer):
    """A mask that is 0 with probability `share`, else 1 / (1 − share).

    Args:
        mask: (N, columns), behind which there is room for up to AT_ONCE numbers more.
        share: below 1.
        key0: the seed.
        key1: the step.
        place: of the mask's name among the random numbers.
    """
    kept, threshold = np.float32(1) / np.float32(1 - share), np.uint64(share * 2.0**32)
    flat = mask.reshape(mask.size)
    for start in range(0, flat.size, AT_ONCE):
        i = start
        for word in philox(start // AT_ONCE + 1, key0, key1, place, 1):
            flat[i] = kept if (word & _LOW) >= threshold else _ZERO
            flat[i + 1] = kept if (word >> _HALF) >= threshold else _ZERO
            i += 2


@kernel
def dropout(y: Rows, x: Rows, mask: Dense):
    """`y = mask * x`, forward as backward; `y` may be `x`.

    The mask has no columns that pad: what only pads is 0 in `x`, so it does not matter which number of the rows behind
    it meets; there are some more of them than in `x`.
    """
    flat, n_columns = mask.reshape(mask.size), mask.shape[1]
    for n in range(y.shape[0]):
        row = flat[n * n_columns : n * n_columns + y.shape[1]]
        for j in range(0, y.shape[1], WIDE):
            store(y[n], j, load(row, j) * load(x[n], j))
