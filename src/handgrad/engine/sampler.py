"""Drawing lines, letter by letter: from a table of all distributions where that pays, else from the network."""

from collections.abc import Mapping, Sequence

import numpy as np

from handgrad.engine.compiling import compiled, entry_point
from handgrad.engine.inference import log_probabilities
from handgrad.engine.vectors import padded

TABLE_NUMBERS = 2**25
"""Most numbers in the table: 128 MB, enough for 4 letters of 27 before the next, or for 2 of 256."""
LETTERS_A_LINE = 8
"""About; a table is made once as many letters have been drawn as it has rows."""
_LINES_A_DRAW = 4
"""Philox makes four numbers at once: those of four lines at the same place."""


class Sampler:
    """Draws lines from a model; the same seed draws the same lines, however they are batched.

    Each line's random numbers depend on nothing but the seed, the line's number and the place in it. No line is empty.

    Args:
        parameters: seven float32 arrays by name.
        bnmean: (1, n_hidden), mean of `hprebn` over the training split.
        bnvar: (1, n_hidden), its variance.
        temperature: below 1 the likely gets likelier, above 1 the rare less rare.
        prefix: the tokens each line begins with.
        max_length: tokens after which a line is cut off, those of the prefix included.

    Example:
        >>> from handgrad.models.config import MLPConfig, initial_parameters
        >>> draw = np.random.default_rng(1)
        >>> parameters = initial_parameters(MLPConfig(27), lambda _, shape: draw.standard_normal(shape, np.float32))
        >>> bnmean, bnvar = np.zeros((1, 200), np.float32), np.ones((1, 200), np.float32)
        >>> sampler = Sampler(parameters, bnmean, bnvar, prefix=[13, 1], max_length=5)
        >>> tokens = sampler.draw(seed=7, lines=range(4))
        >>> tokens[:2], int((tokens == 0).sum())
        (array([13,  1], dtype=int32), 4)
    """

    def __init__(  # noqa: D107
        self,
        parameters: Mapping[str, np.ndarray],
        bnmean: np.ndarray,
        bnvar: np.ndarray,
        temperature: float = 1.0,
        prefix: Sequence[int] | np.ndarray = (),
        max_length: int = 100,
    ):
        self.vocab_size = len(parameters["C"])
        self.block_size = len(parameters["W1"]) // parameters["C"].shape[1]
        self.prefix, self.max_length = np.asarray(prefix, np.int32), max_length
        self._model, self._temperature = (parameters, bnmean, bnvar), temperature
        self._drawn = 0
        self._table: np.ndarray | None = None

    def draw(self, seed: int, lines: range) -> np.ndarray:
        """The lines of these numbers, in order.

        Args:
            seed: at least 0, below 2⁶⁴.
            lines: their numbers, consecutive.

        Returns:
            Their tokens, each line followed by one 0, flat, int32.
        """
        self._drawn += len(lines)
        n_contexts = self.vocab_size**self.block_size
        most = min(LETTERS_A_LINE * self._drawn, TABLE_NUMBERS // padded(self.vocab_size))
        if self._table is None and n_contexts <= most:
            self._table = self._thresholds(_all_contexts(self.vocab_size, self.block_size))
        return self._from_network(seed, lines) if self._table is None else self._from_table(self._table, seed, lines)

    def _thresholds(self, contexts: np.ndarray) -> np.ndarray:
        """Where in the 2³² random numbers each letter's share ends, (N, padded vocabulary) uint32.

        A token is drawn by counting the thresholds that are no greater than the random number. No line is empty: in the
        context where none of its letters is known, 0 has no share.
        """
        log_weights = log_probabilities(*self._model, contexts).astype(np.float64) / self._temperature
        log_weights[~contexts.any(1), 0] = -np.inf
        ends = np.exp(log_weights - log_weights.max(1, keepdims=True)).cumsum(1)
        thresholds = np.full((len(contexts), padded(self.vocab_size)), 2**32 - 1, np.uint32)
        thresholds[:, : self.vocab_size - 1] = np.minimum(ends[:, :-1] / ends[:, -1:] * 2**32, 2**32 - 1)
        return thresholds

    def _from_table(self, table: np.ndarray, seed: int, lines: range) -> np.ndarray:
        room = max(_LINES_A_DRAW, TABLE_NUMBERS // 8 // (self.max_length + 1)) // _LINES_A_DRAW * _LINES_A_DRAW
        parts = []
        for start in range(lines.start, lines.stop, room):
            stop = min(start + room, lines.stop)
            drawn = np.empty((stop - start + _LINES_A_DRAW) * (self.max_length + 1), np.int32)
            settings = np.uint64(seed), self.prefix, self.max_length, self.vocab_size, self.block_size
            length = _draw_from_table(drawn, table, start, stop, *settings)
            parts.append(drawn[:length].copy())
        return np.concatenate(parts) if parts else np.empty(0, np.int32)

    def _from_network(self, seed: int, lines: range) -> np.ndarray:
        begin = self.block_size + len(self.prefix)
        history = np.zeros((len(lines), self.block_size + self.max_length + 1), np.int32)
        history[:, self.block_size : begin] = self.prefix
        unfinished = np.arange(len(lines))
        for place in range(len(self.prefix), self.max_length):
            if not len(unfinished):
                break
            thresholds = self._thresholds(history[unfinished, place : place + self.block_size])
            numbers = _random_numbers(np.uint64(seed), place, lines.start, lines.stop)[unfinished]
            drawn = (thresholds[:, : self.vocab_size - 1] <= numbers[:, None]).sum(1)
            history[unfinished, self.block_size + place] = drawn
            unfinished = unfinished[drawn != 0]
        letters = history[:, self.block_size :]
        ends = (letters == 0).argmax(1)
        return letters[np.arange(letters.shape[1]) <= ends[:, None]]


def _all_contexts(vocab_size: int, block_size: int) -> np.ndarray:
    """(vocab_size ** block_size, block_size): the digits of 0, 1, 2, … to the base of the vocabulary."""
    return np.indices((vocab_size,) * block_size, np.int32).reshape(block_size, -1).T


@entry_point
def _draw_from_table(out, thresholds, start, stop, seed, prefix, max_length, vocab_size, block_size):
    """Write the lines from `start` to `stop` to `out`, and return how many tokens they are."""
    n_letters, n_contexts = vocab_size - 1, vocab_size**block_size
    first = 0
    for letter in prefix:
        first = (first * vocab_size + letter) % n_contexts
    lines = np.zeros((_LINES_A_DRAW, max_length + 1), np.int32)
    lines[:, : prefix.size] = prefix
    lengths, contexts = np.empty(_LINES_A_DRAW, np.int64), np.empty(_LINES_A_DRAW, np.int64)
    end = 0
    for group in range(start // _LINES_A_DRAW, (stop + _LINES_A_DRAW - 1) // _LINES_A_DRAW):
        lengths[:], contexts[:], n_unfinished = prefix.size, first, _LINES_A_DRAW
        for place in range(prefix.size, max_length):
            if n_unfinished == 0:
                break
            words = _philox(group + 1, seed, 1 + place)
            for i in range(_LINES_A_DRAW):
                if lengths[i] < place:
                    continue
                row, number = thresholds[contexts[i]], np.uint32(words[i] >> np.uint64(32))
                letter = np.int32(0)
                for j in range(row.size):
                    letter += np.int32(row[j] <= number)
                letter = min(letter, np.int32(n_letters))
                lines[i, place] = letter
                contexts[i] = (contexts[i] * vocab_size + letter) % n_contexts
                n_unfinished -= letter == 0
                lengths[i] += letter != 0
        for i in range(_LINES_A_DRAW):
            if start <= group * _LINES_A_DRAW + i < stop:
                for place in range(lengths[i]):
                    out[end + place] = lines[i, place]
                out[end + lengths[i]] = 0
                end += lengths[i] + 1
    return end


@entry_point
def _random_numbers(seed, place, start, stop):
    """A number below 2³² for each line at this place."""
    numbers = np.empty(stop - start, np.uint32)
    for line in range(start, stop):
        words = _philox(line // _LINES_A_DRAW + 1, seed, 1 + place)
        numbers[line - start] = np.uint32(words[line % _LINES_A_DRAW] >> np.uint64(32))
    return numbers


_MULTIPLIER0, _MULTIPLIER1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_WEYL0, _WEYL1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


@compiled
def _philox(counter, key0, key1):
    """Four random words that depend on nothing but the arguments: Philox4x64-10, as in `np.random.Philox`.

    Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", sec. 4.
    """
    x0, x1, x2, x3 = np.uint64(counter), np.uint64(0), np.uint64(0), np.uint64(0)
    k0, k1 = np.uint64(key0), np.uint64(key1)
    for _ in range(10):
        high0, high1 = _high_word(_MULTIPLIER0, x0), _high_word(_MULTIPLIER1, x2)
        x0, x1, x2, x3 = high1 ^ x1 ^ k0, _MULTIPLIER1 * x2, high0 ^ x3 ^ k1, _MULTIPLIER0 * x0
        k0, k1 = k0 + _WEYL0, k1 + _WEYL1
    return x0, x1, x2, x3


@compiled
def _high_word(a, b):
    """The upper half of the product of two 64-bit words."""
    a_low, a_high, b_low, b_high = a & _LOW, a >> _HALF, b & _LOW, b >> _HALF
    middle = a_high * b_low + ((a_low * b_low) >> _HALF)
    other = a_low * b_high + (middle & _LOW)
    return a_high * b_high + (middle >> _HALF) + (other >> _HALF)
