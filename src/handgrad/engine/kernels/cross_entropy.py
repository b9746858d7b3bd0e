"""Cross-entropy of rows that have several targets each."""

import math

import numpy as np

from handgrad.engine.compiling import compiled
from handgrad.engine.operations import softmax
from handgrad.engine.vectors import WIDE, load, store

_ONE = np.float32(1)


@compiled
def cross_entropy(logits, counts, rows, targets, logit_maxes, counts_sum):
    """The mean loss over all targets; `logits` become their gradient.

    Args:
        logits: (N, V).
        counts: (N,) how many targets each row has.
        rows: (targets,) the row of each target.
        targets: (targets,) tokens.
        logit_maxes: (N,), scratch.
        counts_sum: (N,), scratch.
    """
    loss, of_mean = 0.0, _ONE / np.float32(targets.size)
    for i in range(targets.size):
        loss -= logits[rows[i], targets[i]]
    softmax(logits, logit_maxes, counts_sum)
    for n in range(logits.shape[0]):
        loss += counts[n] * (logit_maxes[n] + math.log(counts_sum[n]))
        weight = counts[n] * of_mean
        for j in range(0, logits.shape[1], WIDE):
            store(logits[n], j, load(logits[n], j) * weight)
    for i in range(targets.size):
        logits[rows[i], targets[i]] -= of_mean
    return loss / targets.size
