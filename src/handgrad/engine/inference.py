"""Losses, log-probabilities and batch-norm statistics over many contexts, in blocks that stay in the cache."""

from collections.abc import Iterator, Mapping

import numpy as np

from handgrad.engine.compiling import entry_point
from handgrad.engine.layout import NEVER, Sizes, pack, views
from handgrad.engine.operations import (
    batchnorm_inference,
    bias_forward,
    linear_forward,
    log_softmax,
    tanh_forward,
)
from handgrad.engine.step import hidden_preactivation, work_for
from handgrad.engine.training import read_batches, refuse_outside
from handgrad.engine.vectors import aligned_zeros

Arrays = Mapping[str, np.ndarray]

NUMBERS_AT_ONCE = 2**18
"""Of an activation: 1 MB."""


def log_probabilities(parameters: Arrays, bnmean: np.ndarray, bnvar: np.ndarray, contexts: np.ndarray) -> np.ndarray:
    """Natural logarithm of the probability of each next token, with batch norm on fixed statistics.

    A context's row does not depend on the others, to the last bit.

    Args:
        parameters: seven float32 arrays by name.
        bnmean: (1, n_hidden), mean of `hprebn` over the training split.
        bnvar: (1, n_hidden), its variance.
        contexts: (N, block_size) integers.

    Returns:
        (N, vocab_size) float32; the exponentials of a row add up to 1.

    Raises:
        IndexError: a context is not in the vocabulary.

    Source: lecture, `split_loss`.
    """
    block = _Block(parameters, len(contexts))
    logprobs = np.empty((len(contexts), block.sizes.vocab_size), np.float32)
    for now in block.parts(len(contexts)):
        logprobs[now] = block.log_probabilities(contexts[now], bnmean, bnvar)
    return logprobs


def mean_loss(parameters: Arrays, bnmean: np.ndarray, bnvar: np.ndarray, tokens: np.ndarray, block_size: int) -> float:
    """Mean cross-entropy over all tokens of a text, in nats.

    Args:
        parameters: seven float32 arrays by name.
        bnmean: (1, n_hidden), mean of `hprebn` over the training split.
        bnvar: (1, n_hidden), its variance.
        tokens: lines, each followed by one 0, flat.
        block_size: tokens of a context.
    """
    block, total = _Block(parameters, len(tokens)), 0.0
    for now in block.parts(len(tokens)):
        contexts, targets = read_batches(tokens, np.arange(now.start, now.stop), block_size)
        logprobs = block.log_probabilities(contexts, bnmean, bnvar)
        total -= np.take_along_axis(logprobs, targets[:, None], 1).sum(dtype=np.float64)
    return total / len(tokens)


def calibrate(
    parameters: Arrays, tokens: np.ndarray, block_size: int, limit: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of `hprebn` over a text, for batch norm without a batch.

    The moments of blocks are merged in float64 by Chan's update, so that no digits cancel.

    Args:
        parameters: seven float32 arrays by name.
        tokens: lines, each followed by one 0, flat; usually the training split.
        block_size: tokens of a context.
        limit: use only this many of the first tokens.

    Returns:
        bnmean and bnvar (Bessel's correction), each (1, n_hidden) float32.

    Source: lecture, "calibrate the batch norm at the end of training"; Chan, Golub and LeVeque 1983, eq. 2.1.
    """
    tokens = tokens[:limit]
    block, n_hidden = _Block(parameters, len(tokens)), parameters["W1"].shape[1]
    count, mean, squares = 0, np.zeros(n_hidden), np.zeros(n_hidden)
    for now in block.parts(len(tokens)):
        contexts, _ = read_batches(tokens, np.arange(now.start, now.stop), block_size)
        block_mean, block_squares = (moment[:n_hidden] for moment in _column_moments(block.hidden(contexts)))
        delta, added = block_mean - mean, len(contexts)
        mean += delta * (added / (count + added))
        squares += block_squares + delta**2 * (count * added / (count + added))
        count += added
    variance = squares / max(count - 1, 1)
    return mean[None].astype(np.float32), variance[None].astype(np.float32)


class _Block:
    """Parameters and work arrays for some thousands of contexts at a time."""

    def __init__(self, parameters: Arrays, n_contexts: int):
        self.sizes = Sizes.of(parameters)
        self.n_at_once = max(1, min(n_contexts, NUMBERS_AT_ONCE // self.sizes.hidden_padded))
        self.flat = pack(parameters, NEVER)
        # By letter whatever their number, so that a row has the same bits in any block.
        self.work = work_for(self.n_at_once, self.sizes, by_letter=True)

    def parts(self, n_contexts: int) -> Iterator[slice]:
        for start in range(0, n_contexts, self.n_at_once):
            yield slice(start, min(start + self.n_at_once, n_contexts))

    def as_row(self, statistic: np.ndarray) -> np.ndarray:
        row = aligned_zeros(self.sizes.hidden_padded)
        row[: self.sizes.n_hidden] = statistic.reshape(-1)
        return row

    def hidden(self, contexts: np.ndarray) -> np.ndarray:
        refuse_outside(contexts, self.sizes.vocab_size, "a token", "the vocabulary")
        _hidden(self.flat, self.work, np.ascontiguousarray(contexts, np.int32), self.sizes)
        return self.work.hprebn[: len(contexts)]

    def log_probabilities(self, contexts: np.ndarray, bnmean: np.ndarray, bnvar: np.ndarray) -> np.ndarray:
        self.hidden(contexts)
        statistics = self.as_row(bnmean), self.as_row(bnvar)
        _log_probabilities(self.flat, self.work, len(contexts), *statistics, self.sizes)
        return self.work.logits[: len(contexts), : self.sizes.vocab_size]


@entry_point
def _hidden(flat, w, contexts, sizes):
    p = views(flat, sizes)
    hidden_preactivation(w, p, contexts, sizes)
    bias_forward(w.hprebn[: len(contexts)], p.b1)


@entry_point
def _log_probabilities(flat, w, n, bnmean, bnvar, sizes):
    p = views(flat, sizes)
    batchnorm_inference(w.h[:n], w.hprebn[:n], p.bngain, p.bnbias, bnmean, bnvar)
    tanh_forward(w.h[:n])
    linear_forward(w.logits[:n], w.h[:n], p.W2)
    bias_forward(w.logits[:n], p.b2)
    log_softmax(w.logits[:n])


@entry_point
def _column_moments(x):
    """The mean of each column and the sum of squares about it, in float64."""
    n_rows, n_columns = x.shape
    mean, squares = np.zeros(n_columns), np.zeros(n_columns)
    for n in range(n_rows):
        row = x[n]
        for j in range(n_columns):
            mean[j] += row[j]
    for j in range(n_columns):
        mean[j] /= n_rows
    for n in range(n_rows):
        row = x[n]
        for j in range(n_columns):
            squares[j] += (row[j] - mean[j]) ** 2
    return mean, squares
