"""The compiled form of families that read lines."""

import importlib
from collections.abc import Mapping, Sequence

import numpy as np

from handgrad.engine import reading
from handgrad.engine.lines import CompiledLines
from handgrad.engine.recurrent import Reader
from handgrad.models.family import Family
from handgrad.models.trained import Model


def compiled_lines(network: Family) -> CompiledLines:
    """What the file of the family's name has for a model of these sizes."""
    return importlib.import_module(f"handgrad.engine.models.{network.name}").compiled_lines(network)


def calibrate(
    network: Family, parameters: Mapping[str, np.ndarray], tokens: np.ndarray, limit: int | None = None  # noqa: ARG001
) -> dict[str, np.ndarray]:  # fmt: skip
    """Nothing is measured."""
    return {}


def readers(model: Model) -> reading.Readers:
    """How it is read."""
    compiled, at_once = compiled_lines(model.config), reading.LINES_AT_ONCE
    return reading.Readers(lambda: Reader(compiled, model.parameters, at_once), at_once)


def log_probabilities(model: Model, contexts: np.ndarray) -> np.ndarray:
    """Of each next token, (N, vocab_size) float32, from contexts, (N, K), 0 where the line had not begun."""
    return reading.log_probabilities(model, readers(model), contexts)


def mean_loss(model: Model, tokens: np.ndarray) -> float:
    """Mean cross-entropy over all tokens of some lines, in nats."""
    return reading.mean_loss(model, readers(model), tokens)


def sampler(model: Model, temperature: float, prefix: Sequence[int] | np.ndarray, max_length: int) -> reading.Sampler:
    """What draws lines from the model."""
    return reading.Sampler(model, readers(model), temperature, prefix, max_length)
