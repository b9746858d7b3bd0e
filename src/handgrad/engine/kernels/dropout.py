"""Dropout, its masks those of `handgrad.training.masks`."""

import numpy as np

from handgrad.engine.philox import philox
from handgrad.engine.tape import Indices, Integer, Number, Rows, kernel
from handgrad.engine.vectors import WIDE, load, store

_AT_ONCE = 8
"""So many numbers of 32 bits Philox makes at once."""
_LOW, _HALF, _ZERO = np.uint64(0xFFFFFFFF), np.uint64(32), np.float32(0)


@kernel
def draw_mask(
    mask: Rows, rows: Indices, n_columns: Integer, share: Number, key0: Integer, key1: Integer, place: Integer
):
    """Some rows of a mask that is 0 with probability `share`, else 1 / (1 − share).

    Args:
        mask: (N, n_columns) and columns that pad.
        rows: (N,) which.
        n_columns: of the mask.
        share: below 1.
        key0: the seed.
        key1: the step.
        place: of the mask's name among the random numbers.
    """
    kept, threshold = np.float32(1) / np.float32(1 - share), np.uint64(share * 2.0**32)
    for n in range(rows.size):
        begin = np.int64(rows[n]) * n_columns
        counter = begin // _AT_ONCE
        j = counter * _AT_ONCE - begin
        while j < n_columns:
            counter += 1
            for word in philox(counter, key0, key1, place, 1):
                for number in (word & _LOW, word >> _HALF):
                    if 0 <= j < n_columns:
                        mask[n, j] = kept if number >= threshold else _ZERO
                    j += 1


@kernel
def dropout(y: Rows, x: Rows, mask: Rows):
    """`y = mask * x`, forward as backward; `y` may be `x`."""
    for n in range(y.shape[0]):
        for j in range(0, y.shape[1], WIDE):
            store(y[n], j, load(mask[n], j) * load(x[n], j))


@kernel
def add_dropped(y: Rows, x: Rows, mask: Rows):
    """`y += mask * x`."""
    for n in range(y.shape[0]):
        for j in range(0, y.shape[1], WIDE):
            store(y[n], j, load(y[n], j) + load(mask[n], j) * load(x[n], j))
