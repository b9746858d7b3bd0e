"""How good a model is: the loss of a split, the likelihood of a line, and calibrated batch-norm statistics."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from handgrad.data.corpus import read_corpus
from handgrad.data.dataset import Dataset, split

if TYPE_CHECKING:
    from handgrad.models.config import MLPConfig
    from handgrad.models.trained import Model

NUMBERS_AT_ONCE = 2**18  # so that a block's intermediates stay in the processor's cache: 8 times as fast as 2**23


def calibrate(
    parameters: dict[str, np.ndarray], config: "MLPConfig", dataset: Dataset, limit: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of `hprebn` over a dataset, for batch norm without a batch.

    The dataset passes through in blocks; their moments are merged in float64 by Chan's update, so that any size fits
    in memory and no digits cancel.

    Args:
        parameters: seven float32 arrays by name.
        config: their sizes.
        dataset: usually the training split.
        limit: use only this many of the first examples.

    Returns:
        bnmean and bnvar (Bessel's correction), each (1, n_hidden) float32.

    Source: lecture, "calibrate the batch norm at the end of training"; Chan, Golub and LeVeque 1983, eq. 2.1.
    """
    import torch

    from handgrad.models import mlp
    from handgrad.models.threads import one_thread

    tensors = {name: torch.from_numpy(value) for name, value in parameters.items()}
    count, mean, squares = 0, np.zeros((1, config.n_hidden)), np.zeros((1, config.n_hidden))
    overflow_shows_in_the_result = np.errstate(over="ignore", invalid="ignore")
    with one_thread(), torch.no_grad(), overflow_shows_in_the_result:
        for positions in _blocks(config, min(len(dataset), limit or len(dataset))):
            contexts = torch.from_numpy(dataset.contexts(positions, config.block_size))
            hprebn = mlp.hidden_preactivation(tensors, contexts).double()
            block_mean = hprebn.mean(0, keepdim=True)
            hprebn -= block_mean
            delta, total = block_mean.numpy() - mean, count + len(hprebn)
            mean += delta * (len(hprebn) / total)
            squares += (hprebn * hprebn).sum(0, keepdim=True).numpy() + delta**2 * (count * len(hprebn) / total)
            count = total
        return mean.astype(np.float32), (squares / max(count - 1, 1)).astype(np.float32)


def mean_loss(model: "Model", dataset: Dataset) -> float:
    """Mean cross-entropy over all characters and line ends of a dataset, in nats."""
    total = 0.0
    for positions in _blocks(model.config, len(dataset)):
        log_probs = model.log_probabilities(dataset.contexts(positions, model.config.block_size))
        targets = dataset.targets(positions)
        total -= np.take_along_axis(log_probs, targets[:, None], 1).sum(dtype=np.float64)
    return float(total) / len(dataset)


def perplexity(loss: float) -> float:
    """The exponential of a loss in nats: among how many equally likely letters a model as good as this one chooses.

    It stops growing at the greatest number a float holds.
    """
    return math.exp(min(loss, 709.0))


def log_likelihood(model: "Model", line: str) -> float:
    """Natural logarithm of the probability that the model writes exactly this line, its end included.

    Raises:
        CorpusError: the line has a letter that the model has not seen.
    """
    tokens = np.append(model.vocabulary.encode(line), 0).astype(model.vocabulary.dtype)
    return -mean_loss(model, Dataset(tokens)) * len(tokens)


def evaluate(model: "Model", text: str | Path | None = None) -> dict[str, float]:
    """Loss in nats a character, and so the logarithm of the perplexity.

    Args:
        model: from `handgrad.train` or `handgrad.load`.
        text: a file of lines in the model's letters; without it, the text the model was trained on.

    Returns:
        `{"train": …, "val": …, "test": …}`, or `{name of the text: …}`.

    Raises:
        CorpusError: the text is not there, is not the one trained on, or has letters the model has not seen.

    Example:
        >>> import handgrad
        >>> model = handgrad.train(steps=20, batch_size=8, n_hidden=16, out=folder / "run")
        >>> list(handgrad.evaluate(model))
        ['train', 'val', 'test']
    """
    if text is None:
        return {name: mean_loss(model, part) for name, part in split(model.text.read())._asdict().items()}
    corpus = read_corpus(text, model.vocabulary)
    return {corpus.name: mean_loss(model, Dataset(corpus.tokens))}


def _blocks(config: "MLPConfig", n_examples: int) -> Iterator[np.ndarray]:
    """Positions 0, 1, … in blocks whose intermediates are of `NUMBERS_AT_ONCE` numbers each."""
    widest = max(config.n_hidden, config.vocab_size, config.n_embd * config.block_size)
    size = max(1, NUMBERS_AT_ONCE // widest)
    for start in range(0, n_examples, size):
        yield np.arange(start, min(start + size, n_examples))
