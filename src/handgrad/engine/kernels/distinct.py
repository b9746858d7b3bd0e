"""Minibatches of contexts, and what is the same in them."""

import numpy as np

from handgrad.engine.hashing import equal, hash_of
from handgrad.engine.tape import IndexRows, Indices, Integer, Registers, Vector, kernel


@kernel
def read_contexts(contexts: IndexRows, targets: Indices, all_contexts: IndexRows, all_targets: Indices, n: Integer):
    """Those of a minibatch.

    Args:
        contexts: (N, block_size), receives its contexts.
        targets: (N,), receives its targets.
        all_contexts: (steps · N, block_size).
        all_targets: (steps · N,).
        n: which of the steps.
    """
    for i in range(targets.size):
        targets[i] = all_targets[n * targets.size + i]
        for place in range(contexts.shape[1]):
            contexts[i, place] = all_contexts[n * targets.size + i, place]


@kernel
def number_distinct(
    numbers: IndexRows, found: IndexRows, counts: Vector, n_found: Registers, rows: IndexRows, slots: Indices
):
    """Cut each row into parts, and number the distinct ones in the order in which they come.

    Args:
        numbers: (N, T), receives the number of each part.
        found: (most, K), receives the distinct parts.
        counts: (most,), receives how often each occurs.
        n_found: (1,), receives how many there are.
        rows: (N, T · K).
        slots: (a power of two above N · T,), scratch: a number and one more, or 0. It is the first free one from where
            the part's hash points to.
    """
    width, last_slot, end = found.shape[1], slots.size - 1, np.int32(0)
    for slot in range(slots.size):
        slots[slot] = 0
    for n in range(numbers.shape[0]):
        for place in range(numbers.shape[1]):
            part = rows[n, place * width : (place + 1) * width]
            slot = hash_of(part) & last_slot
            while slots[slot] != 0 and not equal(found[slots[slot] - 1], part):
                slot = (slot + 1) & last_slot
            if slots[slot] == 0:
                for k in range(width):
                    found[end, k] = part[k]
                counts[end] = 0
                end += np.int32(1)
                slots[slot] = end
            numbers[n, place] = slots[slot] - 1
            counts[slots[slot] - 1] += np.float32(1)
    n_found[0] = end
