"""The compiled form of n-grams."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from handgrad.engine import ngram, reading
from handgrad.engine.distributions import Choice, Thresholds
from handgrad.engine.sampler import LineSampler
from handgrad.engine.training import refuse_outside
from handgrad.models.family import Family
from handgrad.models.ngram import NGram
from handgrad.models.trained import Model


def calibrate(
    network: Family, parameters: Mapping[str, np.ndarray], tokens: np.ndarray, limit: int | None = None  # noqa: ARG001
) -> dict[str, np.ndarray]:  # fmt: skip
    """What followed what in a text, or in the first `limit` tokens of it."""
    return ngram.count(tokens[:limit], _block_size(network))._asdict()


def readers(model: Model) -> reading.Readers:
    """How it is read."""
    of_contexts = partial(_log_probabilities, _tree(model), model.config.vocab_size)
    return reading.Readers(lambda: reading.Window(of_contexts, _block_size(model.config)), reading.LINES_AT_ONCE)


def log_probabilities(model: Model, contexts: np.ndarray) -> np.ndarray:
    """Of each next token, (N, vocab_size) float32, from contexts, (N, block_size)."""
    refuse_outside(np.asarray(contexts), model.config.vocab_size, "a token", "the vocabulary")
    return _log_probabilities(_tree(model), model.config.vocab_size, contexts)


def mean_loss(model: Model, tokens: np.ndarray) -> float:
    """Mean cross-entropy over all tokens of some lines, in nats."""
    sizes = model.config.vocab_size, _block_size(model.config)
    return -ngram.log_likelihood(_tree(model), tokens, *sizes) / len(tokens)


def sampler(model: Model, choice: Choice, prefix: Sequence[int] | np.ndarray, max_length: int) -> LineSampler:
    """What draws lines from the model."""
    return LineSampler(_Thresholds(model, choice), prefix, max_length)


class _Thresholds(Thresholds):
    def __init__(self, model: Model, choice: Choice):
        super().__init__(model.config.vocab_size, _block_size(model.config), choice)
        self._tree = _tree(model)

    def fill(self, thresholds: np.ndarray, contexts: np.ndarray) -> None:
        self.write(thresholds, _log_probabilities(self._tree, self.vocab_size, contexts), contexts)


def _log_probabilities(tree: ngram.Tree, vocab_size: int, contexts: np.ndarray) -> np.ndarray:
    return np.log(ngram.probabilities(tree, contexts, vocab_size)).astype(np.float32)


def _tree(model: Model) -> ngram.Tree:
    counted = ngram.Counted(**model.buffers)
    ngram.require_sound(counted, model.config.vocab_size)
    return ngram.tree_of(counted)


def _block_size(network: Family) -> int:
    assert isinstance(network, NGram)
    return network.block_size
