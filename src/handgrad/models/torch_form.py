"""Families without compiled loops in use: evaluated and sampled with PyTorch's operations, letter by letter.

What a model makes of the beginning of a line depends on that beginning alone. So each distinct beginning among the
lines at hand is read once, however many lines begin with it. It is done in float64, so that what else is computed at
the same time leaves no trace in float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from handgrad.data.dataset import Dataset
from handgrad.engine.distributions import thresholds_of
from handgrad.engine.sampler import draw_letters, flatten
from handgrad.engine.vectors import padded
from handgrad.errors import CorpusError
from handgrad.models.family import Family, OfContexts
from handgrad.models.threads import one_thread
from handgrad.models.trained import Model

LINES_AT_ONCE = 2**10
"""Read together; so many rows of state there may be."""
CONTEXTS_MEASURED = 2**14
"""On so many of the first contexts of a text, whose lines are shuffled, buffers are measured: some ten megabytes."""


class Beginnings:
    """Beginnings of lines, which grow by a letter at a time.

    Args:
        model: that reads them.
        n: how many lines; all begin with their boundary.
    """

    def __init__(self, model: Model, n: int):  # noqa: D107
        self._network = model.config
        arrays = {**model.parameters, **model.buffers}
        self._values = {name: torch.from_numpy(value).double() for name, value in arrays.items()}
        self._state = self._network.start(self._values, 1)
        self._place = 0
        self.lines = np.arange(n)
        """The lines that grow."""
        self.rows = np.zeros(n, np.int32)
        """Which row of `log_probabilities` belongs to each of them."""
        self._read(np.zeros(1, np.int64))

    @property
    def log_probabilities(self) -> np.ndarray:
        """Of the next letter after each distinct beginning, (rows, vocab_size) float32."""
        return self._logits.log_softmax(1).float().numpy()

    def grow(self, letters: np.ndarray) -> None:
        """Append a letter to each line; one whose letter is 0 has come to its end, and grows no more."""
        grows = letters != 0
        pairs = self.rows[grows].astype(np.int64) * self._network.vocab_size + letters[grows]
        self.lines = self.lines[grows]
        distinct, rows = np.unique(pairs, return_inverse=True)
        self.rows = rows.astype(np.int32)
        if len(distinct):
            before = torch.from_numpy(distinct // self._network.vocab_size)
            self._state = tuple(values[before] for values in self._state)
            self._read(distinct % self._network.vocab_size)

    def _read(self, tokens: np.ndarray) -> None:
        with one_thread(), torch.no_grad():
            now = torch.from_numpy(tokens)
            self._logits, self._state = self._network.step(self._values, self._state, now, self._place)
        self._place += 1


def calibrate(
    network: Family, parameters: Mapping[str, np.ndarray], tokens: np.ndarray, limit: int | None = None
) -> dict[str, np.ndarray]:
    """The buffers, measured on the first contexts of a text."""
    if not isinstance(network, OfContexts) or not network.buffer_shapes:
        return {}
    n = min(len(tokens[:limit]), CONTEXTS_MEASURED)
    contexts = torch.from_numpy(Dataset(tokens).contexts(np.arange(n), network.block_size))
    with one_thread(), torch.no_grad():
        values = {name: torch.from_numpy(value) for name, value in parameters.items()}
        return {name: value.numpy() for name, value in network.measured(values, contexts).items()}


def log_probabilities(model: Model, contexts: np.ndarray) -> np.ndarray:
    """Of each next token, (N, vocab_size) float32, from contexts, (N, K), 0 where the line had not begun."""
    contexts = np.asarray(contexts)
    n_lines, width = contexts.shape
    _refuse_longer(model, width + 1)
    begins = (contexts != 0).argmax(1)
    begins[~(contexts != 0).any(1)] = width
    logprobs = np.empty((n_lines, model.config.vocab_size), np.float32)
    for begin in np.unique(begins):
        (chosen,) = np.nonzero(begins == begin)
        beginnings = Beginnings(model, len(chosen))
        for place in range(begin, width):
            beginnings.grow(contexts[chosen[beginnings.lines], place])
        if len(beginnings.lines) < len(chosen):
            raise IndexError("a context goes on behind the end of its line: 0 stands between its letters")
        logprobs[chosen] = beginnings.log_probabilities[beginnings.rows]
    return logprobs


def mean_loss(model: Model, tokens: np.ndarray) -> float:
    """Mean cross-entropy over all tokens of some lines, in nats."""
    dataset, total = Dataset(tokens), 0.0
    _refuse_longer(model, int(np.diff(dataset.starts).max()))
    for start in range(0, dataset.n_lines, LINES_AT_ONCE):
        _, Y = dataset.lines(np.arange(start, min(start + LINES_AT_ONCE, dataset.n_lines)))
        beginnings = Beginnings(model, len(Y))
        for place in range(Y.shape[1]):
            letters = Y[beginnings.lines, place]
            total -= beginnings.log_probabilities[beginnings.rows, letters].sum(dtype=np.float64)
            beginnings.grow(letters)
    return float(total / len(tokens))


def sampler(model: Model, temperature: float, prefix: Sequence[int] | np.ndarray, max_length: int) -> Sampler:
    """What draws lines from the model."""
    return Sampler(model, temperature, np.asarray(prefix, np.int32), max_length)


class Sampler:
    """Draws lines from a model; the same seed draws the same lines, however they are batched.

    Each line's random numbers depend on nothing but the seed, the line's number and the place in it. No line is empty,
    and none is longer than what the model can read.

    Args:
        model: that is drawn from.
        temperature: below 1 the likely gets likelier, above 1 the rare less rare.
        prefix: the tokens each line begins with.
        max_length: tokens after which a line is cut off, those of the prefix included.
    """

    def __init__(self, model: Model, temperature: float, prefix: np.ndarray, max_length: int):  # noqa: D107
        _refuse_longer(model, len(prefix) + 1)
        self._model, self._temperature, self._prefix = model, float(temperature), prefix
        self._max_length = min(max_length, model.config.longest or max_length)

    def draw(self, seed: int, lines: range) -> np.ndarray:
        """The lines of these numbers, each followed by one 0, flat, int32."""
        starts = range(lines.start, lines.stop, LINES_AT_ONCE)
        drawn = [self._part(seed, range(start, min(start + LINES_AT_ONCE, lines.stop))) for start in starts]
        return np.concatenate([*drawn, np.empty(0, np.int32)])

    def _part(self, seed: int, part: range) -> np.ndarray:
        letters = np.zeros((len(part), self._max_length + 1), np.int32)
        letters[:, : len(self._prefix)] = self._prefix
        beginnings = Beginnings(self._model, len(part))
        for place in range(self._max_length):
            if not len(beginnings.lines):
                break
            if place >= len(self._prefix):
                thresholds = self._thresholds(beginnings.log_probabilities, place)
                growing = beginnings.lines.copy()  # is changed by `draw_letters`
                n_letters = self._model.config.vocab_size - 1
                settings = n_letters, np.uint64(seed), place, part.start
                draw_letters(letters[:, place], growing, beginnings.rows, thresholds, *settings)
            if place + 1 < self._max_length:
                beginnings.grow(letters[beginnings.lines, place])
        return flatten(letters)

    def _thresholds(self, logprobs: np.ndarray, place: int) -> np.ndarray:
        thresholds = np.full((len(logprobs), padded(logprobs.shape[1])), 2**32 - 1, np.uint32)
        contexts = np.full((len(logprobs), 1), min(place, 1), np.int32)  # all 0 where no letter is known
        thresholds_of(thresholds[:, : logprobs.shape[1] - 1], logprobs, contexts, self._temperature)
        return thresholds


def _refuse_longer(model: Model, length: int) -> None:
    longest = model.config.longest
    if longest is not None and length > longest:
        raise CorpusError(
            f"this {model.config.name} reads lines of at most {longest - 1:,} characters", got=f"{length - 1:,}",
            next_step="Train it with a greater --block-size.",
        )  # fmt: skip
