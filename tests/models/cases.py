"""A small model of each family, and minibatches for it; sizes are pairwise distinct where they can be."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from handgrad.data import Dataset
from handgrad.models.family import Family
from handgrad.models.registry import family

SIZES = {
    "bigram": {"vocab_size": 7},
    "bow": {"vocab_size": 7, "block_size": 6, "n_embd": 3, "n_hidden": 5},
    "mlp": {"vocab_size": 7, "block_size": 2, "n_embd": 3, "n_hidden": 5},
    "wavenet": {"vocab_size": 7, "block_size": 4, "n_embd": 3, "n_hidden": 5},
    "rnn": {"vocab_size": 7, "n_embd": 3, "n_hidden": 5},
    "gru": {"vocab_size": 7, "n_embd": 3, "n_hidden": 5},
    "lstm": {"vocab_size": 7, "n_embd": 3, "n_hidden": 5},
    "transformer": {"vocab_size": 7, "block_size": 6, "n_embd": 4, "n_layer": 2, "n_head": 2},
    "microgpt": {"vocab_size": 7, "block_size": 6, "n_embd": 4, "n_layer": 2, "n_head": 2},
}
LINES = [[1, 2, 3, 1], [4], [2, 5, 6], [3, 3], [6, 1, 4, 5, 2]]
TOKENS = np.array([token for line in LINES for token in (*line, 0)])


@dataclass(frozen=True)
class Problem:
    """A model, a minibatch and a cotangent of the loss."""

    config: Family
    parameters: dict[str, Tensor]
    X: Tensor
    Y: Tensor
    dloss: Tensor


def problem(name: str, seed: int = 0, **changes: float) -> Problem:
    """Random parameters, nowhere near zero, in float64."""
    config = family(name)(**{**SIZES[name], **changes})
    generator = torch.Generator().manual_seed(seed)

    def draw(shape: tuple[int, ...]) -> Tensor:
        return 0.5 * torch.randn(shape, generator=generator, dtype=torch.float64)

    parameters = {key: draw(shape) + ("gain" in key) for key, shape in config.shapes.items()}
    dataset = Dataset(TOKENS)
    if config.reads == "lines":
        X, Y = dataset.lines(np.arange(len(LINES)))
    else:
        positions = np.arange(len(TOKENS))
        X, Y = dataset.contexts(positions, config.block_size), dataset.targets(positions)
    dloss = torch.randn((), generator=generator, dtype=torch.float64)
    return Problem(config, parameters, torch.from_numpy(X), torch.from_numpy(Y), dloss)
