"""Models in use that read lines from their beginning on: evaluated and sampled letter by letter.

What a model makes of the beginning of a line depends on that beginning alone. So each distinct beginning among the
lines at hand is read once, however many lines begin with it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from handgrad.data.dataset import Dataset
from handgrad.engine.distributions import Choice
from handgrad.engine.sampler import draw_letters, flatten
from handgrad.engine.vectors import padded
from handgrad.errors import CorpusError
from handgrad.models.trained import Model
from handgrad.threads import n_threads, share

LINES_AT_ONCE = 2**11
"""Read together: the more there are, the more begin alike."""
PARTS = 16
"""Into so many a part may be divided again, once more of its letters are known."""
Result = TypeVar("Result")


class Reader(Protocol):
    """Reads beginnings of lines, which grow by a token at a time.

    What it returns are log-probabilities of the token that follows each beginning, float32, to be read before the next
    call. A row does not depend on the others.
    """

    def begin(self) -> np.ndarray:
        """Of what follows the boundary, (1, vocab_size)."""
        ...

    def read(self, rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Of what follows each token, (N, vocab_size), read after the beginning of that row of the last call."""
        ...


class Readers(NamedTuple):
    """How a model is read.

    Args:
        new: makes a reader, which no other thread uses.
        at_once: so many distinct beginnings may be read together.
    """

    new: Callable[[], Reader]
    at_once: int


class Window:
    """Reads lines with a model of contexts, which remembers of each beginning its last letters; a `Reader`.

    Args:
        log_probabilities: of each next token, (N, vocab_size) float32, from contexts, (N, block_size) int32.
        block_size: letters of a context.
    """

    def __init__(self, log_probabilities: Callable[[np.ndarray], np.ndarray], block_size: int):  # noqa: D107
        self._log_probabilities, self._block_size = log_probabilities, block_size

    def begin(self) -> np.ndarray:
        """Of what follows the boundary, (1, vocab_size)."""
        self._contexts = np.zeros((1, self._block_size), np.int32)
        return self._log_probabilities(self._contexts)

    def read(self, rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Of what follows each token, after the beginning of that row of the last ones: (N, vocab_size)."""
        contexts = np.empty((len(tokens), self._block_size), np.int32)
        contexts[:, :-1], contexts[:, -1] = self._contexts[rows, 1:], tokens
        self._contexts = contexts
        return self._log_probabilities(contexts)


class Beginnings:
    """Beginnings of lines, which grow by a letter at a time.

    Args:
        reader: that reads them.
        vocab_size: of the letters.
        n: how many lines; all begin with their boundary.
    """

    def __init__(self, reader: Reader, vocab_size: int, n: int):  # noqa: D107
        self._reader, self._vocab_size = reader, vocab_size
        self.lines = np.arange(n)
        """The lines that grow."""
        self.rows = np.zeros(n, np.int32)
        """Which row of `log_probabilities` belongs to each of them."""
        self.log_probabilities = reader.begin()
        """Of the next letter after each distinct beginning, (rows, vocab_size) float32."""

    def grow(self, letters: np.ndarray, most: int | None = None) -> bool:
        """Append a letter to each line; one whose letter is 0 has come to its end, and grows no more.

        Returns:
            Whether any line goes on; also False where there would be more than `most` distinct beginnings.
        """
        grows = letters != 0
        pairs = self.rows[grows].astype(np.int64) * self._vocab_size + letters[grows]
        distinct, rows = np.unique(pairs, return_inverse=True)
        self.lines, self.rows = self.lines[grows], rows.astype(np.int32)
        if not len(distinct) or (most and len(distinct) > most):
            return False
        self.log_probabilities = self._reader.read(distinct // self._vocab_size, distinct % self._vocab_size)
        return True


def log_probabilities(model: Model, readers: Readers, contexts: np.ndarray) -> np.ndarray:
    """Of each next token, (N, vocab_size) float32, from contexts, (N, K), 0 where the line had not begun."""
    contexts = np.asarray(contexts)
    n_lines, width = contexts.shape
    _refuse_longer(model, width + 1)
    begins = (contexts != 0).argmax(1)
    begins[~(contexts != 0).any(1)] = width
    logprobs, reader = np.empty((n_lines, model.config.vocab_size), np.float32), readers.new()
    for begin in np.unique(begins):
        (all_chosen,) = np.nonzero(begins == begin)
        for chosen in np.split(all_chosen, range(readers.at_once, len(all_chosen), readers.at_once)):
            beginnings = Beginnings(reader, model.config.vocab_size, len(chosen))
            for place in range(begin, width):
                beginnings.grow(contexts[chosen[beginnings.lines], place])
            if len(beginnings.lines) < len(chosen):
                raise IndexError("a context goes on behind the end of its line: 0 stands between its letters")
            logprobs[chosen] = beginnings.log_probabilities[beginnings.rows]
    return logprobs


def mean_loss(model: Model, readers: Readers, tokens: np.ndarray) -> float:
    """Mean cross-entropy over all tokens of some lines, in nats."""
    sums = _of_parts(model, readers, tokens, lambda logprobs, _: float(logprobs.sum(dtype=np.float64)))
    return -sum(sums) / len(tokens)


def of_tokens(model: Model, readers: Readers, tokens: np.ndarray) -> np.ndarray:
    """The log-probability of each token of some lines, after those before it in its line: (N,) float32."""
    whole = np.empty(len(tokens), np.float32)

    def put(logprobs: np.ndarray, places: np.ndarray) -> None:
        whole[places] = logprobs

    _of_parts(model, readers, tokens, put)
    return whole


def along(model: Model, reader: Reader, line: Sequence[int] | np.ndarray) -> Iterator[np.ndarray]:
    """Log-probabilities of what comes at each place of a line, (vocab_size,), and of what follows its last letter."""
    _refuse_longer(model, len(line) + 1)
    beginnings = Beginnings(reader, model.config.vocab_size, 1)
    for letter in line:
        yield beginnings.log_probabilities[0]
        beginnings.grow(np.array([letter], np.int32))
    yield beginnings.log_probabilities[0]


class Sampler:
    """Draws lines from a model; the same seed draws the same lines, however they are batched.

    Each line's random numbers depend on nothing but the seed, the line's number and the place in it. No line is empty,
    and none is longer than what the model can read.

    Args:
        model: that is drawn from.
        readers: of it.
        choice: how a letter is drawn.
        prefix: the tokens each line begins with.
        max_length: tokens after which a line is cut off, those of the prefix included.
    """

    def __init__(  # noqa: D107
        self,
        model: Model,
        readers: Readers,
        choice: Choice,
        prefix: Sequence[int] | np.ndarray,
        max_length: int,
    ):
        _refuse_longer(model, len(prefix) + 1)
        self._vocab_size, self._readers, self._choice = model.config.vocab_size, readers, choice
        self._prefix = np.asarray(prefix, np.int32)
        self._max_length = min(max_length, model.config.longest or max_length)

    def draw(self, seed: int, lines: range) -> np.ndarray:
        """The lines of these numbers, each followed by one 0, flat, int32."""
        numbers = np.arange(lines.start, lines.stop)
        known = np.broadcast_to(self._prefix, (len(lines), len(self._prefix)))

        def begin() -> Callable[[np.ndarray], np.ndarray]:
            reader = self._readers.new()
            return lambda part: self._lines(reader, seed, numbers[part], known[part])

        if len(lines) > self._readers.at_once:
            known = self._first_letters(self._readers.new(), seed, numbers, known)
        parts = self._alike(known)
        return _put_back(share(parts, begin), parts)

    def _lines(self, reader: Reader, seed: int, numbers: np.ndarray, known: np.ndarray) -> np.ndarray:
        """The lines of these numbers, whose first letters are known, each followed by one 0, flat."""
        if len(numbers) <= self._readers.at_once:
            return flatten(self._letters(reader, seed, numbers, known))
        known = self._first_letters(reader, seed, numbers, known)
        parts = self._alike(known)
        return _put_back([self._lines(reader, seed, numbers[part], known[part]) for part in parts], parts)

    def _alike(self, known: np.ndarray) -> list[np.ndarray]:
        """Which lines to draw together: those that begin alike, in parts enough for all threads."""
        order, size = np.lexsort([np.arange(len(known)), *known.T[::-1]]), self._readers.at_once
        if len(order) >= 4 * n_threads() * PARTS * size:
            size *= PARTS
        return np.split(order, range(size, len(order), size))

    def _first_letters(self, reader: Reader, seed: int, numbers: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Of each line as many letters, (lines, any), as can be drawn from so many beginnings as are read at once."""
        beginnings, columns = Beginnings(reader, self._vocab_size, len(numbers)), list(known.T)
        for place in range(self._max_length):
            if place == len(columns):
                columns.append(np.zeros(len(numbers), np.int32))
                self._draw(columns[place], beginnings, seed, place, numbers)
            grows = columns[place][beginnings.lines]
            if place + 1 == self._max_length or not beginnings.grow(grows, self._readers.at_once):
                break
        return np.stack(columns, 1)

    def _letters(self, reader: Reader, seed: int, numbers: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Of each line, whose first letters are known, all of them, and 0 behind its end."""
        letters, n_known = np.zeros((len(numbers), self._max_length + 1), np.int32), known.shape[1]
        letters[:, :n_known] = known
        beginnings = Beginnings(reader, self._vocab_size, len(numbers))
        for place in range(self._max_length):
            if place >= n_known:
                self._draw(letters[:, place], beginnings, seed, place, numbers)
            if place + 1 == self._max_length or not beginnings.grow(letters[beginnings.lines, place]):
                break
        return letters

    def _draw(self, letters: np.ndarray, beginnings: Beginnings, seed: int, place: int, numbers: np.ndarray) -> None:
        """The letters at a place of the lines that have not ended."""
        thresholds = self._thresholds(beginnings.log_probabilities, place)
        unfinished = beginnings.lines.copy()  # is changed by `draw_letters`
        draw_letters(letters, unfinished, beginnings.rows, thresholds, np.uint64(seed), place, numbers)

    def _thresholds(self, logprobs: np.ndarray, place: int) -> np.ndarray:
        thresholds = np.full((len(logprobs), padded(logprobs.shape[1])), 2**32 - 1, np.uint32)
        contexts = np.full((len(logprobs), 1), min(place, 1), np.int32)  # all 0 where no letter is known
        self._choice.write_thresholds(thresholds[:, : logprobs.shape[1] - 1], logprobs, contexts)
        return thresholds


def _of_parts(
    model: Model, readers: Readers, tokens: np.ndarray, use: Callable[[np.ndarray, np.ndarray], Result]
) -> list[Result]:
    """What `use` makes of the log-probability of each token and of its place among them, part by part."""
    dataset = Dataset(tokens)
    longest = int(np.diff(dataset.starts).max())
    _refuse_longer(model, longest)
    order = _alike_together(dataset, model.config.vocab_size, longest)

    def begin() -> Callable[[range], Result]:
        reader = readers.new()

        def measure(part: range) -> Result:
            numbers = order[part.start : part.stop]
            _, Y = dataset.lines(numbers)
            logprobs = np.empty(Y.shape, np.float32)
            beginnings = Beginnings(reader, model.config.vocab_size, len(part))
            for place in range(Y.shape[1]):
                lines, letters = beginnings.lines, Y[beginnings.lines, place]
                logprobs[lines, place] = beginnings.log_probabilities[beginnings.rows, letters]
                beginnings.grow(letters)
            places = dataset.starts[numbers, None] + np.arange(Y.shape[1])
            return use(logprobs[Y >= 0], places[Y >= 0])

        return measure

    return share(_parts(range(dataset.n_lines), readers.at_once), begin)


def _put_back(drawn: list[np.ndarray], parts: list[np.ndarray]) -> np.ndarray:
    """The lines drawn, each followed by one 0, flat, in the order of their numbers, which stand in `parts`."""
    tokens, order = np.concatenate(drawn), np.concatenate(parts)
    ends = np.flatnonzero(tokens == 0) + 1
    lengths = np.diff(ends, prepend=0)
    in_order = np.empty_like(lengths)
    in_order[order] = lengths
    starts = np.cumsum(in_order) - in_order
    result = np.empty_like(tokens)
    result[np.arange(len(tokens)) + np.repeat(starts[order] - (ends - lengths), lengths)] = tokens
    return result


def _alike_together(dataset: Dataset, vocab_size: int, longest: int) -> np.ndarray:
    """The numbers of the lines, sorted by as many of their first letters as fit into 63 bits."""
    starts, ends = dataset.starts[:-1], dataset.starts[1:] - 1
    keys = np.zeros(len(starts), np.int64)
    for place in range(min(longest, int(63 / math.log2(vocab_size)))):
        keys *= vocab_size
        keys += dataset.tokens[np.minimum(starts + place, ends)]
    return np.argsort(keys, kind="stable")


def _parts(lines: range, at_once: int) -> list[range]:
    starts = range(lines.start, lines.stop, at_once)
    return [range(start, min(start + at_once, lines.stop)) for start in starts]


def _refuse_longer(model: Model, length: int) -> None:
    longest = model.config.longest
    if longest is not None and length > longest:
        raise CorpusError(
            f"this {model.config.name} reads lines of at most {longest - 1:,} characters", got=f"{length - 1:,}",
            next_step="It takes a model trained with a greater --block-size.",
        )  # fmt: skip
