"""Families without compiled loops in use: evaluated and sampled with PyTorch's operations, letter by letter.

It is done in float64, so that what else is computed at the same time leaves no trace in float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch

from handgrad.data.dataset import Dataset
from handgrad.engine import reading
from handgrad.engine.distributions import Choice
from handgrad.models.family import Family, OfContexts
from handgrad.models.threads import one_thread
from handgrad.models.trained import Model

LINES_AT_ONCE = 2**10
"""Read together; so many rows of state there may be."""
CONTEXTS_MEASURED = 2**14
"""On so many of the first contexts of a text, whose lines are shuffled, buffers are measured: some ten megabytes."""


class Reader:
    """Reads lines token by token; see `handgrad.engine.reading.Reader`."""

    def __init__(self, model: Model):  # noqa: D107
        self._network = model.config
        arrays = {**model.parameters, **model.buffers}
        self._values = {name: torch.from_numpy(value).double() for name, value in arrays.items()}

    def begin(self) -> np.ndarray:
        """Of what follows the boundary, (1, vocab_size)."""
        self._state, self._place = self._network.start(self._values, 1), 0
        return self.read(np.zeros(1, np.int64), np.zeros(1, np.int64))

    def read(self, rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Of what follows each token, after the beginning of that row of the last ones: (N, vocab_size)."""
        with torch.no_grad():
            state = tuple(values[torch.from_numpy(rows)] for values in self._state)
            logits, self._state = self._network.step(self._values, state, torch.from_numpy(tokens), self._place)
            self._place += 1
            return logits.log_softmax(1).float().numpy()


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


def readers(model: Model) -> reading.Readers:
    """How it is read: while torch has one thread."""
    return reading.Readers(partial(Reader, model), LINES_AT_ONCE, one_thread)


def log_probabilities(model: Model, contexts: np.ndarray) -> np.ndarray:
    """Of each next token, (N, vocab_size) float32, from contexts, (N, K), 0 where the line had not begun."""
    return reading.log_probabilities(model, readers(model), contexts)


def mean_loss(model: Model, tokens: np.ndarray) -> float:
    """Mean cross-entropy over all tokens of some lines, in nats."""
    return reading.mean_loss(model, readers(model), tokens)


def sampler(model: Model, choice: Choice, prefix: Sequence[int] | np.ndarray, max_length: int) -> reading.Sampler:
    """What draws lines from the model."""
    return reading.Sampler(model, readers(model), choice, prefix, max_length)
