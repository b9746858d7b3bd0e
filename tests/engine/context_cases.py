"""Models of contexts and minibatches of random sizes, the same for every test."""

from dataclasses import fields
from typing import NamedTuple

import numpy as np

from handgrad.data import Dataset
from handgrad.engine.contexts import CompiledContexts, Contexts
from handgrad.engine.models.contexts import compiled_contexts
from handgrad.models.family import OfContexts
from handgrad.models.registry import family

FAMILIES = ("bigram", "mlp", "wavenet")


class ContextCase(NamedTuple):
    network: OfContexts
    compiled: CompiledContexts
    parameters: dict[str, np.ndarray]
    dataset: Dataset
    batches: Contexts


def context_case(
    name, vocab_size=27, block_size=8, n_embd=10, n_hidden=33, batch_size=32, steps=1, longest=9, seed=0
) -> ContextCase:
    """Contexts of lines of few letters, so that many have parts in common."""
    draw = np.random.default_rng(seed)
    sizes, kind = {"n_embd": n_embd, "n_hidden": n_hidden, "block_size": block_size}, family(name)
    network = kind(vocab_size, **{field.name: sizes[field.name] for field in fields(kind)[1:]})
    assert isinstance(network, OfContexts)
    parameters = network.initial(lambda _, shape: draw.standard_normal(shape, np.float32))
    arrays = {key: np.asarray(value, np.float32) for key, value in parameters.items()}
    lengths = draw.integers(1, longest + 1, 60)
    letters = [1 + (draw.random(length) ** 3 * (vocab_size - 1)).astype(int) for length in lengths]
    dataset = Dataset(np.concatenate([np.append(line, 0) for line in letters]))
    positions = draw.integers(0, len(dataset), (steps, batch_size))
    batches = Contexts(dataset.contexts(positions, network.block_size), dataset.targets(positions))
    return ContextCase(network, compiled_contexts(network), arrays, dataset, batches)


SIZES = [
    {},
    {"batch_size": 12, "n_hidden": 2, "n_embd": 2, "vocab_size": 3, "block_size": 2, "longest": 2},
    {"batch_size": 7, "n_hidden": 24, "n_embd": 3, "vocab_size": 11, "block_size": 4},
    {"batch_size": 50, "n_hidden": 65, "n_embd": 17, "vocab_size": 300, "longest": 30},
    {"batch_size": 40, "n_hidden": 16, "n_embd": 24, "block_size": 64, "longest": 400},
    {"batch_size": 700, "n_hidden": 20, "n_embd": 5, "vocab_size": 40, "longest": 60},
]
