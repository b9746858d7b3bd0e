"""Rows of a matrix, by number."""

import numpy as np

from handgrad.engine.compiling import compiled
from handgrad.engine.vectors import WIDE, load, spread, store


@compiled
def take_rows(out, x, rows):
    """`out = x[rows]`."""
    for n in range(out.shape[0]):
        from_row, to_row = x[rows[n]], out[n]
        for j in range(0, to_row.size, WIDE):
            store(to_row, j, load(from_row, j))


@compiled
def add_taken_rows(out, x, rows):
    """`out[:, : x.shape[1]] += x[rows]`."""
    for n in range(out.shape[0]):
        from_row, to_row = x[rows[n]], out[n, : x.shape[1]]
        for j in range(0, from_row.size, WIDE):
            store(to_row, j, load(to_row, j) + load(from_row, j))


@compiled
def add_rows(out, rows, x):
    """`out[rows] += x`, a row as often as it is named: the backward of what takes rows."""
    for n in range(x.shape[0]):
        from_row, to_row = x[n], out[rows[n]]
        for j in range(0, from_row.size, WIDE):
            store(to_row, j, load(to_row, j) + load(from_row, j))


@compiled
def clear_rows(x):
    """`x[:] = 0`."""
    for n in range(x.shape[0]):
        for j in range(0, x.shape[1], WIDE):
            store(x[n], j, spread(np.float32(0)))


@compiled
def sum_rows(out, x):
    """`out = x.sum(0)`."""
    for j in range(0, out.size, WIDE):
        total = spread(np.float32(0))
        for n in range(x.shape[0]):
            total += load(x[n], j)
        store(out, j, total)
