"""The form of mixtures: their parts read the same beginnings in step, and what they say is added up."""

from collections.abc import Sequence

import numpy as np

from handgrad.engine import reading
from handgrad.engine.compiling import entry_point
from handgrad.engine.distributions import Choice
from handgrad.engine.elementary import exp, log1p
from handgrad.models.forms import form_of
from handgrad.models.mix import Mix, parts_of
from handgrad.models.trained import Model


class Reader:
    """Reads lines with several readers; see `handgrad.engine.reading.Reader`.

    Args:
        parts: what reads them.
        weights: of the probabilities of each.
    """

    def __init__(self, parts: Sequence[reading.Reader], weights: Sequence[float]):  # noqa: D107
        self._parts, self._log_weights = parts, np.log(weights).astype(np.float32)

    def begin(self) -> np.ndarray:
        """Of what follows the boundary, (1, vocab_size)."""
        return self._added([part.begin() for part in self._parts])

    def read(self, rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Of what follows each token, after the beginning of that row of the last ones: (N, vocab_size)."""
        return self._added([part.read(rows, tokens) for part in self._parts])

    def _added(self, logprobs: list[np.ndarray]) -> np.ndarray:
        total = logprobs[0] + self._log_weights[0]
        for others, log_weight in zip(logprobs[1:], self._log_weights[1:], strict=True):
            _add(total, others, log_weight)
        return total


def readers(model: Model) -> reading.Readers:
    """How it is read: so many lines at once as each part can read."""
    assert isinstance(model.config, Mix)
    weights, parts = model.config.weights, [form_of(part.config.name).readers(part) for part in parts_of(model)]

    at_once = min(part.at_once for part in parts)
    return reading.Readers(lambda: Reader([part.new() for part in parts], weights), at_once)


def log_probabilities(model: Model, contexts: np.ndarray) -> np.ndarray:
    """Of each next token, (N, vocab_size) float32, from contexts, (N, K), 0 where the line had not begun."""
    return reading.log_probabilities(model, readers(model), contexts)


def mean_loss(model: Model, tokens: np.ndarray) -> float:
    """Mean cross-entropy over all tokens of some lines, in nats."""
    return reading.mean_loss(model, readers(model), tokens)


def sampler(model: Model, choice: Choice, prefix: Sequence[int] | np.ndarray, max_length: int) -> reading.Sampler:
    """What draws lines from the model."""
    return reading.Sampler(model, readers(model), choice, prefix, max_length)


@entry_point
def _add(total, others, log_weight):
    r"""$\log(e^a + w e^b)$ for each a of `total` and b of `others`, in its place, and from the greater of the two."""
    for n in range(total.shape[0]):
        for j in range(total.shape[1]):
            a, b = total[n, j], others[n, j] + log_weight
            greater, less = max(a, b), min(a, b)
            total[n, j] = greater + log1p(exp(less - greater))
