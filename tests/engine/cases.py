"""Models and minibatches of random sizes, the same for every test."""

from typing import NamedTuple

import numpy as np

from handgrad.models.mlp import MLP


class Case(NamedTuple):
    parameters: dict[str, np.ndarray]
    contexts: np.ndarray
    targets: np.ndarray


def case(vocab_size=27, block_size=3, n_embd=10, n_hidden=200, batch_size=32, steps=1, seed=0) -> Case:
    draw = np.random.default_rng(seed)
    config = MLP(vocab_size, block_size, n_embd, n_hidden)
    parameters = config.initial(lambda _, shape: draw.standard_normal(shape, np.float32))
    contexts = draw.integers(0, vocab_size, (steps, batch_size, block_size))
    targets = draw.integers(0, vocab_size, (steps, batch_size))
    return Case({name: np.asarray(value, np.float32) for name, value in parameters.items()}, contexts, targets)


SIZES = [
    {},
    {"batch_size": 2, "n_hidden": 1, "n_embd": 1, "block_size": 1, "vocab_size": 2},
    {"batch_size": 7, "n_hidden": 33, "n_embd": 3, "block_size": 5, "vocab_size": 11},
    {"batch_size": 100, "n_hidden": 257, "n_embd": 17, "block_size": 2, "vocab_size": 65},
    {"batch_size": 300, "n_hidden": 64, "n_embd": 8, "block_size": 8, "vocab_size": 300},
    {"batch_size": 2048, "n_hidden": 16, "n_embd": 5, "block_size": 3, "vocab_size": 27},
    {"batch_size": 16, "n_hidden": 1024, "n_embd": 10, "block_size": 3, "vocab_size": 27},
]
