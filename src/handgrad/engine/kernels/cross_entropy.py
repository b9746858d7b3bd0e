"""Cross-entropy of rows that have several targets each."""

import math

import numpy as np

from handgrad.engine.compiling import compiled
from handgrad.engine.elementary import exp
from handgrad.engine.tape import Indices, Rows, Vector, kernel
from handgrad.engine.vectors import WIDE, greatest_of, load, store, sum_along

_ZERO, _ONE = np.float32(0), np.float32(1)


@kernel
def cross_entropy(
    loss: Vector,
    logits: Rows,
    counts: Vector,
    rows: Indices,
    targets: Indices,
):
    """The mean loss over all targets; `logits` become their gradient.

    Args:
        loss: (1,) the result.
        logits: (N, V).
        counts: (N,) how many targets each row has.
        rows: (targets,) the row of each target.
        targets: (targets,) tokens.
    """
    total, of_mean = 0.0, _ONE / np.float32(targets.size)
    for i in range(targets.size):
        total -= logits[rows[i], targets[i]]
    for n in range(logits.shape[0]):
        row, weight = logits[n], counts[n] * of_mean
        highest, counts_sum = _exponentials(row)
        total += counts[n] * (highest + math.log(counts_sum))
        for j in range(0, row.size, WIDE):
            store(row, j, load(row, j) * (weight / counts_sum))
    for i in range(targets.size):
        logits[rows[i], targets[i]] -= of_mean
    loss[0] = total / targets.size


@kernel
def log_softmax(logits: Rows):
    """In place."""
    for n in range(logits.shape[0]):
        row = logits[n]
        highest = _greatest(row)
        total = _ZERO
        for j in range(0, row.size, WIDE):
            total += sum_along(row, j, exp(load(row, j) - highest))
        logarithm = highest + np.float32(math.log(total))
        for j in range(0, row.size, WIDE):
            store(row, j, load(row, j) - logarithm)


@compiled
def _exponentials(row):
    """In place, of what is less than the greatest number; that number, and the sum."""
    highest, total = _greatest(row), _ZERO
    for j in range(0, row.size, WIDE):
        count = exp(load(row, j) - highest)
        store(row, j, count)
        total += sum_along(row, j, count)
    return highest, total


@compiled
def _greatest(row):
    highest = greatest_of(load(row, 0))
    for j in range(WIDE, row.size, WIDE):
        highest = max(highest, greatest_of(load(row, j)))
    return highest
