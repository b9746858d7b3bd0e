"""How good a model is: the loss of a split or a text, and the likelihood of a line."""

import math
import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from handgrad.data.corpus import read_corpus
from handgrad.data.dataset import Dataset
from handgrad.errors import ConfigError
from handgrad.training.folders import as_model

if TYPE_CHECKING:
    from handgrad.models.trained import Model


AT_ONCE = 2**24
"""Tokens whose loss is measured together: they are sorted, in memory."""


def mean_loss(model: "Model", dataset: Dataset) -> float:
    """Mean cross-entropy over all characters and line ends of a dataset, in nats."""
    from handgrad.models.forms import form_of

    form = form_of(model.config.name)
    if len(dataset) <= AT_ONCE:
        return form.mean_loss(model, dataset.tokens)
    losses = (form.mean_loss(model, part.tokens) * len(part) for part in dataset.pieces(AT_ONCE))
    return math.fsum(losses) / len(dataset)


def perplexity(loss: float) -> float:
    """The exponential of a loss in nats: among how many equally likely letters a model as good as this one chooses.

    It stops growing at the greatest number a float holds.
    """
    return math.exp(min(loss, 709.0))


def log_likelihoods(model: "Model | str | Path", lines: Iterable[str]) -> list[float]:
    """Natural logarithm of the probability that the model writes exactly each line, its end included.

    Args:
        model: from `handgrad.train` or `handgrad.load`, or the path of a run.
        lines: in the model's letters.

    Returns:
        That of each, in nats; divided by `len(line) + 1` it is that of a character.

    Raises:
        ConfigError: these are no lines.
        CorpusError: a line has a letter that the model has not seen, or is longer than what it reads.

    Example:
        >>> import handgrad
        >>> model = handgrad.train(model="ngram", out=folder / "run")
        >>> emma, xqzw = handgrad.log_likelihoods(model, ["emma", "xqzw"])
        >>> xqzw < emma < 0
        True
    """
    from handgrad.engine.reading import of_tokens
    from handgrad.models.forms import form_of

    model = as_model(model)
    if isinstance(lines, str) or not isinstance(lines, Iterable):
        raise ConfigError("these are no lines", got=repr(lines)[:80], expected="a list of lines")
    tokens = [_tokens_of(model, line) for line in lines]
    if not tokens:
        return []
    of_each = of_tokens(model, form_of(model.config.name).readers(model), np.concatenate(tokens))
    starts = np.cumsum([0, *map(len, tokens[:-1])])
    return np.add.reduceat(of_each.astype(np.float64), starts).tolist()


def log_likelihood(model: "Model | str | Path", line: str) -> float:
    """As `log_likelihoods`, of one line, and as exact as the loss of a text."""
    model = as_model(model)
    tokens = _tokens_of(model, line)
    return -mean_loss(model, Dataset(tokens)) * len(tokens)


class Letter(NamedTuple):
    """How likely a letter of a line is, given those before it.

    Args:
        letter: the letter; None for the end of the line.
        log_probability: in nats.
        others: the likeliest of the other letters, the likeliest first, with their log-probabilities.
    """

    letter: str | None
    log_probability: float
    others: list[tuple[str | None, float]]


def letter_by_letter(model: "Model | str | Path", line: str, others: int = 3) -> list[Letter]:
    """How likely each letter of a line is, and its end, and what else might have stood there.

    Args:
        model: from `handgrad.train` or `handgrad.load`, or the path of a run.
        line: in the model's letters.
        others: so many of the likeliest other letters are named at each place.

    Raises:
        CorpusError: the line has a letter that the model has not seen, or is longer than what it reads.

    Example:
        >>> import handgrad
        >>> model = handgrad.train(model="mlp", steps=20, batch_size=8, n_hidden=16, out=folder / "run")
        >>> [place.letter for place in letter_by_letter(model, "emma")]
        ['e', 'm', 'm', 'a', None]
    """
    from handgrad.engine.reading import along
    from handgrad.models.forms import form_of

    model = as_model(model)
    tokens, letters = _tokens_of(model, line), model.vocabulary.itos
    reader, places = form_of(model.config.name).readers(model).new(), []
    for token, logprobs in zip(tokens.tolist(), along(model, reader, tokens[:-1]), strict=True):
        ranked = [other for other in likeliest(logprobs, others + 1) if other != token][:others]
        of_others = [(letters.get(other), float(logprobs[other])) for other in ranked]
        places.append(Letter(letters.get(token), float(logprobs[token]), of_others))
    return places


def likeliest(logprobs: np.ndarray, n: int) -> list[int]:
    """The n likeliest tokens, the likeliest first."""
    return np.argsort(-logprobs, kind="stable")[:n].tolist()


def _tokens_of(model: "Model", line: str) -> np.ndarray:
    """Its letters and its end."""
    if not isinstance(line, str):
        raise ConfigError("this is no line", got=repr(line)[:80], expected="a text")
    tokens = model.vocabulary.encode(unicodedata.normalize("NFC", line))
    return np.append(tokens, 0).astype(tokens.dtype)


def evaluate(model: "Model | str | Path", text: str | Path | None = None) -> dict[str, float]:
    """Loss in nats a character, and so the logarithm of the perplexity.

    Args:
        model: from `handgrad.train` or `handgrad.load`, or the path of a run.
        text: a file of lines in the model's letters; without it, the text the model was trained on.

    Returns:
        `{"train": …, "val": …, "test": …}`, or `{name of the text: …}`.

    Raises:
        ConfigError: an argument is of a wrong type.
        CorpusError: the text is not there, is not the one trained on, or has letters the model has not seen.
        RunError: the run cannot be read.

    Example:
        >>> import handgrad
        >>> _ = handgrad.train(model="mlp", steps=20, batch_size=8, n_hidden=16, out=folder / "run")
        >>> list(handgrad.evaluate(folder / "run"))
        ['train', 'val', 'test']
    """
    model = as_model(model)
    if text is not None and not isinstance(text, str | os.PathLike):
        raise ConfigError("this is no text", got=repr(text)[:80], expected="the path of a file")
    if text is None:
        return {name: mean_loss(model, part) for name, part in model.text.split(model.text.read())._asdict().items()}
    corpus = read_corpus(text, model.vocabulary)
    return {corpus.name: mean_loss(model, Dataset(corpus.tokens))}
