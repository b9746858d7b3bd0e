"""The distribution of the next letter after a context: of all contexts in a table, or of those met so far."""

import numpy as np

from handgrad.engine.compiling import entry_point
from handgrad.engine.elementary import exp
from handgrad.engine.hashing import equal, hash_of
from handgrad.engine.vectors import padded

NUMBERS_KEPT = 2**24
"""Most numbers that `Met` keeps, thresholds and letters: 64 MB."""


class Thresholds:
    """The thresholds of a model of contexts at a temperature.

    Of the 2³² random numbers each letter has a share. A context's thresholds are the ends of these shares, so that a
    letter is drawn by counting the thresholds that are no greater than the random number. A context's thresholds do not
    depend on what else is asked for, to the last bit. In the context where none of its letters is known 0 has no
    share, so that no line is empty.

    Args:
        vocab_size: letters, and the boundary.
        block_size: letters of a context.
    """

    def __init__(self, vocab_size: int, block_size: int):  # noqa: D107
        self.vocab_size, self.block_size = vocab_size, block_size

    def empty(self, n_contexts: int) -> np.ndarray:
        """Room for so many rows of thresholds; what `fill` does not write never counts."""
        return np.full((n_contexts, padded(self.vocab_size)), 2**32 - 1, np.uint32)

    def fill(self, thresholds: np.ndarray, contexts: np.ndarray) -> None:
        """Write the thresholds of the contexts, (N, block_size) int32, into (N, padded vocabulary) uint32."""
        raise NotImplementedError

    def table(self) -> np.ndarray:
        """The thresholds of all contexts: of the digits of 0, 1, 2, … to the base of the vocabulary."""
        digits = np.indices((self.vocab_size,) * self.block_size, np.int32).reshape(self.block_size, -1).T
        table = self.empty(len(digits))
        self.fill(table, digits)
        return table


class Met:
    """The distributions of the contexts met so far: beginnings of lines come again and again.

    The first to come are kept, as many as there is room for; the others only for the moment.

    Args:
        distributions: of the model.
        at_once: most contexts that are looked up at once.
    """

    def __init__(self, distributions: Thresholds, at_once: int):  # noqa: D107
        self._distributions = distributions
        row = padded(distributions.vocab_size) + distributions.block_size
        self._kept, self._most_kept = 0, max(1, NUMBERS_KEPT // row)
        room = self._most_kept + at_once
        self._slots = np.zeros(2 ** (2 * self._most_kept - 1).bit_length(), np.int32)
        self._contexts = np.empty((room, distributions.block_size), np.int32)
        self.thresholds = np.empty((room, padded(distributions.vocab_size)), np.uint32)

    def look_up(self, history: np.ndarray, lines: np.ndarray, place: int) -> np.ndarray:
        """Which rows of `thresholds` belong to the contexts `history[line, place : place + block_size]`."""
        rows = np.empty(len(lines), np.int32)
        start = self._kept
        end = _look_up(rows, self._slots, self._contexts, start, self._most_kept, history, lines, place)
        new = self.thresholds[start:end]
        new[:] = 2**32 - 1
        self._distributions.fill(new, self._contexts[start:end])
        self._kept = min(end, self._most_kept)
        return rows


@entry_point
def thresholds_of(out, logprobs, contexts, temperature):
    """Write the thresholds of each row of log-probabilities; where its context is all 0, letter 0 has no share."""
    n_letters = out.shape[1]
    weights = np.empty(n_letters + 1, np.float32)
    for n in range(out.shape[0]):
        row, first = logprobs[n], np.int64(1)
        for letter in contexts[n]:
            if letter != 0:
                first = 0
        highest = row[first]
        for j in range(first, row.size):
            highest = max(highest, row[j])
        for j in range(row.size):
            weights[j] = exp(np.float32((np.float64(row[j]) - highest) / temperature))
        weights[0] *= np.float32(1 - first)
        total = 0.0
        for j in range(row.size):
            total += weights[j]
        scale, end = 2.0**32 / total, 0.0
        for j in range(n_letters):
            end += weights[j]
            out[n, j] = np.uint32(min(end * scale, 2.0**32 - 1))


@entry_point
def _look_up(rows, slots, contexts, start, most_kept, history, lines, place):
    """Number each line's context as in `contexts`, where new ones are added from `start` on; return their end.

    A slot holds a number and one more, or 0. It is the first free one from where the context's hash points to.
    """
    block_size, last_slot, end = contexts.shape[1], slots.size - 1, start
    for i in range(lines.size):
        context = history[lines[i], place : place + block_size]
        slot = hash_of(context) & last_slot
        while slots[slot] != 0 and not equal(contexts[slots[slot] - 1], context):
            slot = (slot + 1) & last_slot
        rows[i] = slots[slot] - 1
        if slots[slot] == 0:
            rows[i] = end
            for k in range(block_size):
                contexts[end, k] = context[k]
            end += 1
            if end <= most_kept:
                slots[slot] = end
    return end
