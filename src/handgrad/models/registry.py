"""The families there are: one line each."""

from __future__ import annotations

import importlib
from typing import Literal

from handgrad.errors import ConfigError
from handgrad.models.family import Family

ModelName = Literal["bigram", "ngram", "bow", "mlp", "wavenet", "rnn", "gru", "lstm", "transformer", "microgpt"]
FAMILIES: dict[str, str] = {
    "bigram": "Bigram",
    "ngram": "NGram",
    "bow": "BoW",
    "mlp": "MLP",
    "wavenet": "WaveNet",
    "rnn": "RNN",
    "gru": "GRU",
    "lstm": "LSTM",
    "transformer": "Transformer",
    "microgpt": "MicroGPT",
}
"""The class of each family, in the file of the family's name."""


def family(name: str) -> type[Family]:
    """The family of that name.

    Raises:
        ConfigError: there is none.

    Example:
        >>> family("mlp")(vocab_size=27).n_parameters
        12297
    """
    if name not in FAMILIES:
        raise ConfigError("model is unknown", got=name, expected=f"one of {', '.join(FAMILIES)}")
    return getattr(importlib.import_module(f"handgrad.models.{name}"), FAMILIES[name])
