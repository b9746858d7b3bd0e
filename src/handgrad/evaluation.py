"""How good a model is: the loss of a split or a text, and the likelihood of a line."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from handgrad.data.corpus import read_corpus
from handgrad.data.dataset import Dataset

if TYPE_CHECKING:
    from handgrad.models.trained import Model


def mean_loss(model: "Model", dataset: Dataset) -> float:
    """Mean cross-entropy over all characters and line ends of a dataset, in nats."""
    from handgrad.models.forms import form_of

    return form_of(model.config.name).mean_loss(model, dataset.tokens)


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
        >>> model = handgrad.train(model="mlp", steps=20, batch_size=8, n_hidden=16, out=folder / "run")
        >>> list(handgrad.evaluate(model))
        ['train', 'val', 'test']
    """
    if text is None:
        return {name: mean_loss(model, part) for name, part in model.text.split(model.text.read())._asdict().items()}
    corpus = read_corpus(text, model.vocabulary)
    return {corpus.name: mean_loss(model, Dataset(corpus.tokens))}
