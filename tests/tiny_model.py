"""A model small enough to work out by hand, with parameters nowhere near zero."""

import hashlib
from pathlib import Path

import numpy as np

from handgrad.data import Vocabulary
from handgrad.models.mlp import MLP
from handgrad.models.trained import Model, TextReference


def tiny_model(chars: str = "abc", text: Path | None = None, seed: int = 9, **sizes: int) -> Model:
    """A model whose letters are likely enough that all of them are drawn often; `text` is what it was 'trained' on."""
    config = MLP(len(chars) + 1, **{"block_size": 2, "n_embd": 3, "n_hidden": 5, **sizes})
    draw = np.random.default_rng(seed)
    parameters = {name: draw.normal(0, 0.5, shape).astype(np.float32) for name, shape in config.shapes.items()}
    bnmean = draw.normal(0, 1, (1, config.n_hidden)).astype(np.float32)
    bnvar = draw.uniform(0.5, 2, (1, config.n_hidden)).astype(np.float32)
    reference = TextReference("tiny", str(text), hashlib.sha256(text.read_bytes()).hexdigest() if text else "")
    return Model(config, Vocabulary(chars), parameters, {"bnmean": bnmean, "bnvar": bnvar}, reference, steps=0)
