"""Drawing lines, letter by letter: from a table of all distributions where that pays, else from those met so far."""

from collections.abc import Callable, Sequence

import numpy as np

from handgrad.engine.compiling import compiled, entry_point
from handgrad.engine.distributions import Met, Thresholds
from handgrad.engine.philox import philox
from handgrad.engine.vectors import padded
from handgrad.threads import share

TABLE_NUMBERS = 2**25
"""Most numbers in the table: 128 MB, enough for 4 letters of 27 before the next, or for 2 of 256."""
LETTERS_A_LINE = 8
"""About; a table is made once as many letters have been drawn as it has rows."""
LETTERS_AT_ONCE = 2**22
"""Room for the letters of lines that are drawn together: 16 MB."""
LINES_AT_ONCE = 2**15
_LINES_A_DRAW = 4
"""Philox makes four numbers at once: those of four lines at the same place."""


class LineSampler:
    """Draws lines from a model of contexts; the same seed draws the same lines, however they are batched.

    Each line's random numbers depend on nothing but the seed, the line's number and the place in it. No line is empty.

    Args:
        distributions: of the model.
        prefix: the tokens each line begins with.
        max_length: tokens after which a line is cut off, those of the prefix included.
    """

    def __init__(self, distributions: Thresholds, prefix: Sequence[int] | np.ndarray, max_length: int):  # noqa: D107
        self._distributions = distributions
        self.vocab_size, self.block_size = distributions.vocab_size, distributions.block_size
        self.prefix, self.max_length = np.asarray(prefix, np.int32), max_length
        room = LETTERS_AT_ONCE // (self.block_size + max_length + 1) // _LINES_A_DRAW * _LINES_A_DRAW
        self._at_once = min(max(_LINES_A_DRAW, room), LINES_AT_ONCE)
        self._drawn = 0
        self._table: np.ndarray | None = None
        self._met: Met | None = None

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
            self._table = self._distributions.table()
        starts = range(lines.start, lines.stop, self._at_once)
        parts = [range(start, min(start + self._at_once, lines.stop)) for start in starts]
        drawn = [self._from_met(seed, part) for part in parts] if self._table is None else self._from_table(seed, parts)
        return np.concatenate([*drawn, np.empty(0, np.int32)])

    def _from_table(self, seed: int, parts: list[range]) -> list[np.ndarray]:
        settings = np.uint64(seed), self.prefix, self.max_length, self.vocab_size, self.block_size

        def begin() -> Callable[[range], np.ndarray]:
            room = np.empty((self._at_once + _LINES_A_DRAW) * (self.max_length + 1), np.int32)

            def draw(part: range) -> np.ndarray:
                length = _draw_from_table(room, self._table, part.start, part.stop, *settings)
                return room[:length].copy()

            return draw

        return share(parts, begin)

    def _from_met(self, seed: int, part: range) -> np.ndarray:
        met = self._met = self._met or Met(self._distributions, self._at_once)
        begin = self.block_size + len(self.prefix)
        history = np.zeros((len(part), self.block_size + self.max_length + 1), np.int32)
        history[:, self.block_size : begin] = self.prefix
        unfinished, numbers = np.arange(len(part)), np.arange(part.start, part.stop)
        for place in range(len(self.prefix), self.max_length):
            if not len(unfinished):
                break
            rows = met.look_up(history, unfinished, place)
            letters = history[:, self.block_size + place]
            n_unfinished = draw_letters(letters, unfinished, rows, met.thresholds, np.uint64(seed), place, numbers)
            unfinished = unfinished[:n_unfinished]
        return flatten(history[:, self.block_size :])


@entry_point
def _draw_from_table(out, thresholds, start, stop, seed, prefix, max_length, vocab_size, block_size):
    """Write the lines from `start` to `stop` to `out`, and return how many tokens they are."""
    n_contexts = vocab_size**block_size
    first = 0
    for letter in prefix:
        first = (first * vocab_size + letter) % n_contexts
    lines = np.zeros((_LINES_A_DRAW, max_length + 1), np.int32)
    for i in range(_LINES_A_DRAW):
        for place in range(prefix.size):
            lines[i, place] = prefix[place]
    lengths, contexts = np.empty(_LINES_A_DRAW, np.int64), np.empty(_LINES_A_DRAW, np.int64)
    end = 0
    for group in range(start // _LINES_A_DRAW, (stop + _LINES_A_DRAW - 1) // _LINES_A_DRAW):
        n_unfinished = _LINES_A_DRAW
        for i in range(_LINES_A_DRAW):
            lengths[i], contexts[i] = prefix.size, first
        for place in range(prefix.size, max_length):
            if n_unfinished == 0:
                break
            words = philox(group + 1, seed, 1 + place)
            for i in range(_LINES_A_DRAW):
                if lengths[i] < place:
                    continue
                letter = _letter(thresholds[contexts[i]], words[i])
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
def draw_letters(letters, unfinished, rows, thresholds, seed, place, numbers):
    """Draw a letter for each unfinished line from its row of thresholds; return how many are unfinished now."""
    n_unfinished, group = 0, np.int64(-1)
    words = philox(0, 0, 0)
    for i in range(unfinished.size):
        line = unfinished[i]
        if group != numbers[line] // _LINES_A_DRAW:
            group = numbers[line] // _LINES_A_DRAW
            words = philox(group + 1, seed, 1 + place)
        letter = _letter(thresholds[rows[i]], words[numbers[line] % _LINES_A_DRAW])
        letters[line] = letter
        if letter != 0:
            unfinished[n_unfinished] = line
            n_unfinished += 1
    return n_unfinished


@entry_point
def flatten(letters):
    """Each row up to its first 0 and with it, one after another."""
    n_lines, room = letters.shape
    flat = np.empty(n_lines * room, np.int32)
    end = 0
    for line in range(n_lines):
        for place in range(room):
            flat[end] = letters[line, place]
            end += 1
            if letters[line, place] == 0:
                break
    return flat[:end].copy()


@compiled
def _letter(thresholds, word):
    """How many thresholds are no greater than the random number.

    The highest number counts as the one below it: a threshold that is as high pads, or ends the share of the last
    letter that has one.
    """
    number, letter = np.uint32(min(word >> np.uint64(32), np.uint64(2**32 - 2))), np.int32(0)
    for j in range(thresholds.size):
        letter += np.int32(thresholds[j] <= number)
    return letter
