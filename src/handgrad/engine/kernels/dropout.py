"""Dropout, its masks those of `handgrad.training.masks`."""

import numpy as np

from handgrad.engine.compiling import compiled
from handgrad.engine.philox import philox
from handgrad.engine.vectors import WIDE, load, store

_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


@compiled
def draw_mask(mask, n_columns, share, key0, key1, place):
    """A mask that is 0 with probability `share`, else 1 / (1 − share); columns from `n_columns` on are left."""
    kept, threshold = np.float32(1) / np.float32(1 - share), np.uint64(share * 2.0**32)
    row, column, counter = 0, 0, 0
    while row < mask.shape[0]:
        counter += 1
        for word in philox(counter, key0, key1, place, 1):
            for number in (word & _LOW, word >> _HALF):
                if row < mask.shape[0]:
                    mask[row, column] = kept if number >= threshold else np.float32(0)
                    column += 1
                    if column == n_columns:
                        row, column = row + 1, 0


@compiled
def dropout(y, x, mask):
    """`y = mask * x`, forward as backward; `y` may be `x`."""
    for n in range(y.shape[0]):
        for j in range(0, y.shape[1], WIDE):
            store(y[n], j, load(mask[n], j) * load(x[n], j))
