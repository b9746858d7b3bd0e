"""Models of lines and minibatches of random sizes, the same for every test."""

from dataclasses import fields
from typing import NamedTuple

import numpy as np

from handgrad.data import Dataset
from handgrad.engine.lines import CompiledLines, Lines, read_lines
from handgrad.engine.models.lines import compiled_lines
from handgrad.models.family import Family
from handgrad.models.registry import family

FAMILIES = ("bow", "rnn", "gru", "lstm")


class LineCase(NamedTuple):
    network: Family
    compiled: CompiledLines
    parameters: dict[str, np.ndarray]
    dataset: Dataset
    numbers: np.ndarray
    lines: Lines


def line_case(
    name, vocab_size=27, n_embd=16, n_hidden=33, dropout=0.0, batch_size=32, steps=1, longest=9, seed=0
) -> LineCase:
    """Lines of few letters, so that many begin alike."""
    draw = np.random.default_rng(seed)
    sizes = {"n_embd": n_embd, "n_hidden": n_hidden, "dropout": dropout, "block_size": longest + 1}
    kind = family(name)
    network = kind(vocab_size, **{field.name: sizes[field.name] for field in fields(kind)[1:]})
    parameters = network.initial(lambda _, shape: draw.standard_normal(shape, np.float32))
    lengths = draw.integers(1, longest + 1, 60)
    letters = [1 + (draw.random(length) ** 3 * (vocab_size - 1)).astype(int) for length in lengths]
    dataset = Dataset(np.concatenate([np.append(line, 0) for line in letters]))
    numbers = draw.integers(0, 60, (steps, batch_size))
    compiled, lines = compiled_lines(network), read_lines(dataset.tokens, dataset.starts, numbers)
    return LineCase(network, compiled, dict(parameters), dataset, numbers, lines)


SIZES = [
    {},
    {"batch_size": 1, "n_hidden": 1, "n_embd": 1, "vocab_size": 2, "longest": 1},
    {"batch_size": 7, "n_hidden": 24, "n_embd": 3, "vocab_size": 11},
    {"batch_size": 50, "n_hidden": 65, "n_embd": 17, "vocab_size": 300, "longest": 30},
    {"batch_size": 3, "n_hidden": 16, "n_embd": 64, "longest": 400},
    {"dropout": 0.3},
    {"batch_size": 9, "n_hidden": 20, "n_embd": 5, "dropout": 0.6, "vocab_size": 40},
]
