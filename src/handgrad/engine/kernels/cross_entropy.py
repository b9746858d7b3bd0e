"""Cross-entropy of rows that have several targets each."""

import math

import numpy as np

from handgrad.engine import operations
from handgrad.engine.tape import Dense, Indices, Vector, kernel
from handgrad.engine.vectors import WIDE, load, store

_ONE = np.float32(1)


@kernel
def cross_entropy(
    loss: Vector,
    logits: Dense,
    counts: Vector,
    rows: Indices,
    targets: Indices,
    logit_maxes: Vector,
    counts_sum: Vector,
):
    """The mean loss over all targets; `logits` become their gradient.

    Args:
        loss: (1,) the result.
        logits: (N, V).
        counts: (N,) how many targets each row has.
        rows: (targets,) the row of each target.
        targets: (targets,) tokens.
        logit_maxes: (N,), scratch.
        counts_sum: (N,), scratch.
    """
    total, of_mean = 0.0, _ONE / np.float32(targets.size)
    for i in range(targets.size):
        total -= logits[rows[i], targets[i]]
    operations.softmax(logits, logit_maxes, counts_sum)
    for n in range(logits.shape[0]):
        total += counts[n] * (logit_maxes[n] + math.log(counts_sum[n]))
        weight = counts[n] * of_mean
        for j in range(0, logits.shape[1], WIDE):
            store(logits[n], j, load(logits[n], j) * weight)
    for i in range(targets.size):
        logits[rows[i], targets[i]] -= of_mean
    loss[0] = total / targets.size


@kernel
def log_softmax(logits: Dense):
    """In place."""
    operations.log_softmax(logits)
