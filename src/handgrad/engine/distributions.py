"""The distribution of the next letter after a context: of all contexts in a table, or of those met so far."""

from typing import NamedTuple

import numpy as np

from handgrad.engine.compiling import compiled, entry_point
from handgrad.engine.elementary import exp
from handgrad.engine.hashing import equal, hash_of
from handgrad.engine.vectors import padded

NUMBERS_KEPT = 2**24
"""Most numbers that `Met` keeps, thresholds and letters: 64 MB."""


_LIKELIEST = 1e-30
"""A temperature at which no float32 below the greatest has a share."""
_INFINITE = np.int32(0x7F800000)
"""The bits of the float32 above all finite ones."""


class Choice(NamedTuple):
    r"""How a letter is drawn, given the probability $p_i$ of each.

    At temperature T their shares are in proportion to $p_i^{1/T}$. Of these the `top_k` greatest are kept, and of what
    is left the fewest of the greatest whose sum is at least `top_p` of it. Of equals the first in the vocabulary counts
    as the greater, so that one letter is left by `top_k` 1 and by temperature 0, its limit.

    Args:
        temperature: T, at least 0.
        top_k: at least 1; None for all.
        top_p: above 0; 1 for all.

    Source: Ackley, Hinton and Sejnowski 1985, "A Learning Algorithm for Boltzmann Machines" (temperature); Fan, Lewis
    and Dauphin 2018, "Hierarchical Neural Story Generation", section 5.4 (top-k); Holtzman et al. 2020, "The Curious
    Case of Neural Text Degeneration", section 3.1 (top-p, or nucleus).
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    def write_thresholds(self, out: np.ndarray, logprobs: np.ndarray, contexts: np.ndarray) -> None:
        """Write the thresholds of each row of log-probabilities, as `Thresholds` says of them.

        Args:
            out: (N, vocab_size - 1) uint32.
            logprobs: (N, vocab_size) float32.
            contexts: (N, K) int32.
        """
        if self.temperature and self.top_k is None and self.top_p == 1:
            _write_thresholds(out, logprobs, contexts, float(self.temperature))
            return
        top_k = min(self.top_k or logprobs.shape[1], logprobs.shape[1]) if self.temperature else 1
        temperature = float(self.temperature) or _LIKELIEST
        _write_thresholds_of_some(out, logprobs, contexts, temperature, top_k, float(self.top_p))

    def shares(self, logprobs: np.ndarray, is_begun: bool = True) -> np.ndarray:
        """The share that each letter has of the draws.

        Args:
            logprobs: (vocab_size,) float32.
            is_begun: whether a letter stands before it, so that the line may end.

        Returns:
            (vocab_size,) float64, to within the 2³² random numbers; they add up to 1.

        Example:
            >>> Choice(top_k=2).shares(np.log(np.array([0.2, 0.3, 0.5], np.float32))).round(3)
            array([0.   , 0.375, 0.625])
        """
        thresholds = np.zeros((1, len(logprobs) - 1), np.uint32)
        self.write_thresholds(thresholds, logprobs[None], np.array([[is_begun]], np.int32))
        ends = np.where(thresholds[0] == 2**32 - 1, 2**32, thresholds[0].astype(np.int64))
        return np.diff(ends, prepend=0, append=2**32) / 2**32


class Thresholds:
    """The thresholds of a model of contexts.

    Of the 2³² random numbers each letter has a share. A context's thresholds are the ends of these shares, so that a
    letter is drawn by counting the thresholds that are no greater than the random number. A context's thresholds do not
    depend on what else is asked for, to the last bit. In the context where none of its letters is known 0 has no
    share, so that no line is empty.

    Args:
        vocab_size: letters, and the boundary.
        block_size: letters of a context.
        choice: how a letter is drawn.
    """

    def __init__(self, vocab_size: int, block_size: int, choice: Choice):  # noqa: D107
        self.vocab_size, self.block_size, self.choice = vocab_size, block_size, choice

    def empty(self, n_contexts: int) -> np.ndarray:
        """Room for so many rows of thresholds; what `fill` does not write never counts."""
        return np.full((n_contexts, padded(self.vocab_size)), 2**32 - 1, np.uint32)

    def fill(self, thresholds: np.ndarray, contexts: np.ndarray) -> None:
        """Write the thresholds of the contexts, (N, block_size) int32, into (N, padded vocabulary) uint32."""
        raise NotImplementedError

    def write(self, thresholds: np.ndarray, logprobs: np.ndarray, contexts: np.ndarray) -> None:
        """The same, given the log-probabilities of what follows, (N, vocab_size) float32."""
        self.choice.write_thresholds(thresholds[:, : self.vocab_size - 1], logprobs, contexts)

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
def _write_thresholds(out, logprobs, contexts, temperature):
    """Write the thresholds of each row of log-probabilities; where its context is all 0, letter 0 has no share."""
    weights = np.empty(logprobs.shape[1], np.float32)
    for n in range(out.shape[0]):
        _weigh(weights, logprobs[n], contexts[n], temperature)
        _add_up(out[n], weights)


@entry_point
def _write_thresholds_of_some(out, logprobs, contexts, temperature, top_k, top_p):
    """As `_write_thresholds`, with a share for those letters only that `Choice` keeps."""
    weights, ones = np.empty((2, logprobs.shape[1]), np.float32)
    ones[:] = 1
    for n in range(out.shape[0]):
        _weigh(weights, logprobs[n], contexts[n], temperature)
        if top_k < weights.size:
            _keep_greatest(weights, ones, top_k)
        if top_p < 1:
            _keep_greatest(weights, weights, top_p * _sum(weights))
        _add_up(out[n], weights)


@compiled
def _weigh(weights, row, context, temperature):
    """Weights in proportion to the shares, at most 1."""
    first = np.int64(1)
    for letter in context:
        if letter != 0:
            first = 0
    highest = row[first]
    for j in range(first, row.size):
        highest = max(highest, row[j])
    for j in range(row.size):
        weights[j] = exp(np.float32((np.float64(row[j]) - highest) / temperature))
    weights[0] *= np.float32(1 - first)


@compiled
def _sum(numbers):
    total = 0.0
    for j in range(numbers.size):
        total += numbers[j]
    return total


@compiled
def _add_up(thresholds, weights):
    """The end of each letter's share, but for the last one's."""
    scale, end = 2.0**32 / _sum(weights), 0.0
    for j in range(thresholds.size):
        end += weights[j]
        thresholds[j] = np.uint32(min(end * scale, 2.0**32 - 1))


@compiled
def _keep_greatest(weights, worth, enough):
    """Set all to 0 but the fewest of the greatest weights whose worth is `enough`; the first of equals is the greater.

    The least of them is found by halving: numbers that are not negative are in the order of their bits.
    """
    bits = weights.view(np.int32)
    least, above = np.int32(0), _INFINITE
    while above - least > 1:
        middle = np.int32((np.int64(least) + above) // 2)
        kept = 0.0
        for j in range(weights.size):
            if bits[j] >= middle:
                kept += worth[j]
        if kept >= enough:
            least = middle
        else:
            above = middle
    kept = 0.0
    for j in range(weights.size):
        if bits[j] > least:
            kept += worth[j]
    for j in range(weights.size):
        if bits[j] == least and kept < enough:
            kept += worth[j]
        elif bits[j] <= least:
            weights[j] = 0


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
