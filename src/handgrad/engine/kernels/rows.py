"""Rows of a matrix, by number."""

import numpy as np

from handgrad.engine.tape import IndexRows, Indices, Rows, Vector, kernel
from handgrad.engine.vectors import WIDE, load, spread, store


@kernel
def take_rows(out: Rows, x: Rows, rows: Indices):
    """`out = x[rows]`."""
    for n in range(out.shape[0]):
        from_row, to_row = x[rows[n]], out[n]
        for j in range(0, to_row.size, WIDE):
            store(to_row, j, load(from_row, j))


@kernel
def add_taken_rows(out: Rows, x: Rows, rows: Indices):
    """`out[:, : x.shape[1]] += x[rows]`."""
    for n in range(out.shape[0]):
        from_row, to_row = x[rows[n]], out[n, : x.shape[1]]
        for j in range(0, from_row.size, WIDE):
            store(to_row, j, load(to_row, j) + load(from_row, j))


@kernel
def add_rows(out: Rows, rows: Indices, x: Rows):
    """`out[rows] += x`, a row as often as it is named: the backward of what takes rows."""
    for n in range(x.shape[0]):
        from_row, to_row = x[n], out[rows[n]]
        for j in range(0, from_row.size, WIDE):
            store(to_row, j, load(to_row, j) + load(from_row, j))


@kernel
def take_sums(out: Rows, x: Rows, rows: IndexRows):
    """`out = x[rows].sum(1)`."""
    for n in range(out.shape[0]):
        for j in range(0, out.shape[1], WIDE):
            total = load(x[rows[n, 0]], j)
            for place in range(1, rows.shape[1]):
                total += load(x[rows[n, place]], j)
            store(out[n], j, total)


@kernel
def add_to_each(out: Rows, rows: IndexRows, x: Rows):
    """`out[rows] += x[:, None]`, a row as often as it is named: the backward of `take_sums`."""
    for n in range(x.shape[0]):
        for place in range(rows.shape[1]):
            to_row = out[rows[n, place]]
            for j in range(0, to_row.size, WIDE):
                store(to_row, j, load(to_row, j) + load(x[n], j))


@kernel
def clear_rows(x: Rows):
    """`x[:] = 0`."""
    for n in range(x.shape[0]):
        for j in range(0, x.shape[1], WIDE):
            store(x[n], j, spread(np.float32(0)))


@kernel
def sum_rows(out: Vector, x: Rows):
    """`out = x.sum(0)`."""
    for j in range(0, out.size, WIDE):
        total = spread(np.float32(0))
        for n in range(x.shape[0]):
            total += load(x[n], j)
        store(out, j, total)
