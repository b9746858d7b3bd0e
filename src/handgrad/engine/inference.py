"""Losses, log-probabilities and batch-norm statistics over many contexts, in blocks that stay in the cache."""

from collections.abc import Callable, Mapping

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
from handgrad.threads import share

Arrays = Mapping[str, np.ndarray]

NUMBERS_AT_ONCE = 2**18
"""Of an activation: 1 MB."""
PARTS_AT_ONCE = 2**10
"""Whose moments wait to be merged."""


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
    blocks = Blocks(parameters, len(contexts))
    logprobs = np.empty((len(contexts), blocks.sizes.vocab_size), np.float32)

    def begin() -> Callable[[slice], None]:
        block = blocks.begin()

        def measure(now: slice) -> None:
            logprobs[now] = block.log_probabilities(contexts[now], bnmean, bnvar)

        return measure

    share(blocks.parts, begin)
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
    blocks = Blocks(parameters, len(tokens))

    def begin() -> Callable[[slice], float]:
        block = blocks.begin()

        def measure(now: slice) -> float:
            contexts, targets = read_batches(tokens, np.arange(now.start, now.stop), block_size)
            logprobs = block.log_probabilities(contexts, bnmean, bnvar)
            return float(np.take_along_axis(logprobs, targets[:, None], 1).sum(dtype=np.float64))

        return measure

    return -sum(share(blocks.parts, begin)) / len(tokens)


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
    blocks, n_hidden = Blocks(parameters, len(tokens)), parameters["W1"].shape[1]

    def begin() -> Callable[[slice], list[np.ndarray]]:
        block = blocks.begin()

        def measure(now: slice) -> list[np.ndarray]:
            contexts, _ = read_batches(tokens, np.arange(now.start, now.stop), block_size)
            return [moment[:n_hidden] for moment in _column_moments(block.hidden(contexts))]

        return measure

    count, mean, squares = 0, np.zeros(n_hidden), np.zeros(n_hidden)
    for first in range(0, len(blocks.parts), PARTS_AT_ONCE):
        parts = blocks.parts[first : first + PARTS_AT_ONCE]
        for now, (block_mean, block_squares) in zip(parts, share(parts, begin), strict=True):
            delta, added = block_mean - mean, now.stop - now.start
            mean += delta * (added / (count + added))
            squares += block_squares + delta**2 * (count * added / (count + added))
            count += added
    variance = squares / max(count - 1, 1)
    return mean[None].astype(np.float32), variance[None].astype(np.float32)


class Blocks:
    """Contexts in blocks of some hundreds, always the same ones, so that no sum depends on the number of threads."""

    def __init__(self, parameters: Arrays, n_contexts: int):  # noqa: D107
        self.sizes = Sizes.of(parameters)
        self.n_at_once = max(1, min(n_contexts, NUMBERS_AT_ONCE // self.sizes.hidden_padded))
        self.flat = pack(parameters, NEVER)
        starts = range(0, n_contexts, self.n_at_once)
        self.parts = [slice(start, min(start + self.n_at_once, n_contexts)) for start in starts]

    def begin(self) -> "Block":
        """Work arrays for a thread of its own."""
        return Block(self.flat, self.sizes, self.n_at_once)


class Block:
    """One block after another, in the same arrays."""

    def __init__(self, flat: np.ndarray, sizes: Sizes, n_at_once: int):  # noqa: D107
        self.flat, self.sizes = flat, sizes
        # By letter whatever their number, so that a row has the same bits in any block.
        self.work = work_for(n_at_once, sizes, by_letter=True)

    def as_row(self, statistic: np.ndarray) -> np.ndarray:
        """A statistic of the hidden layer, padded."""
        row = aligned_zeros(self.sizes.hidden_padded)
        row[: self.sizes.n_hidden] = statistic.reshape(-1)
        return row

    def hidden(self, contexts: np.ndarray) -> np.ndarray:
        """`hprebn` of the contexts, to be read before the next call."""
        refuse_outside(contexts, self.sizes.vocab_size, "a token", "the vocabulary")
        _hidden(self.flat, self.work, np.ascontiguousarray(contexts, np.int32), self.sizes)
        return self.work.hprebn[: len(contexts)]

    def log_probabilities(self, contexts: np.ndarray, bnmean: np.ndarray, bnvar: np.ndarray) -> np.ndarray:
        """As the function of that name, to be read before the next call."""
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
