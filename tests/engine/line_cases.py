"""Models of lines and minibatches of random sizes, the same for every test."""

from dataclasses import fields
from typing import NamedTuple

import numpy as np

from handgrad.data import Dataset
from handgrad.engine.lines import CompiledLines, Lines, read_lines
from handgrad.engine.models.lines import compiled_lines
from handgrad.models.family import Family
from handgrad.models.registry import family

RECURRENT, ATTENDING = ("rnn", "gru", "lstm"), ("transformer", "microgpt")
FAMILIES = (*RECURRENT, *ATTENDING, "bow")


class LineCase(NamedTuple):
    network: Family
    compiled: CompiledLines
    parameters: dict[str, np.ndarray]
    dataset: Dataset
    numbers: np.ndarray
    lines: Lines


def line_case(name, vocab_size=27, batch_size=32, steps=1, longest=9, seed=0, **sizes) -> LineCase:
    """Lines of few letters, so that many begin alike; sizes that a family lacks are left out."""
    draw = np.random.default_rng(seed)
    sizes = {**(SMALL_ATTENDING if name in ATTENDING else SMALL_RECURRENT), "block_size": longest + 1, **sizes}
    has = {field.name for field in fields(family(name))}
    network = family(name)(vocab_size, **{size: value for size, value in sizes.items() if size in has})
    parameters = network.initial(lambda _, shape: draw.standard_normal(shape, np.float32))
    lengths = draw.integers(1, longest + 1, 60)
    letters = [1 + (draw.random(length) ** 3 * (vocab_size - 1)).astype(int) for length in lengths]
    dataset = Dataset(np.concatenate([np.append(line, 0) for line in letters]))
    numbers = draw.integers(0, 60, (steps, batch_size))
    compiled, lines = compiled_lines(network), read_lines(dataset.tokens, dataset.starts, numbers)
    return LineCase(network, compiled, dict(parameters), dataset, numbers, lines)


SMALL_RECURRENT = {"n_embd": 16, "n_hidden": 33}
SMALL_ATTENDING = {"n_embd": 12, "n_layer": 2, "n_head": 3}
OF_RECURRENT = [
    {},
    {"batch_size": 1, "n_hidden": 1, "n_embd": 1, "vocab_size": 2, "longest": 1},
    {"batch_size": 7, "n_hidden": 24, "n_embd": 3, "vocab_size": 11},
    {"batch_size": 50, "n_hidden": 65, "n_embd": 17, "vocab_size": 300, "longest": 30},
    {"batch_size": 3, "n_hidden": 16, "n_embd": 64, "longest": 400},
    {"dropout": 0.3},
    {"batch_size": 9, "n_hidden": 20, "n_embd": 5, "dropout": 0.6, "vocab_size": 40},
]
OF_ATTENDING = [
    {},
    {"batch_size": 1, "n_embd": 5, "n_layer": 1, "n_head": 5, "vocab_size": 3, "longest": 2},
    {"batch_size": 7, "n_embd": 16, "n_layer": 1, "n_head": 4, "vocab_size": 11},
    {"batch_size": 50, "n_embd": 65, "n_head": 5, "vocab_size": 300, "longest": 30},
    {"batch_size": 3, "n_embd": 24, "n_head": 12, "longest": 200},
    {"n_embd": 40, "n_head": 1, "n_layer": 3, "block_size": 25},
    {"dropout": 0.3},
    {"batch_size": 9, "n_embd": 20, "n_head": 4, "dropout": 0.6, "vocab_size": 40},
    {"tied": True, "vocab_size": 29},
]
SIZES = {name: OF_RECURRENT if name in RECURRENT else OF_ATTENDING for name in FAMILIES}
