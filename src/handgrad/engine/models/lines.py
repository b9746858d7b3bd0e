"""The compiled form of families that read lines."""

import functools
import importlib
from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import numpy as np

from handgrad.engine import reading
from handgrad.engine.distributions import Choice
from handgrad.engine.lines import N_NODES, START, START_ON, STOP, STOP_ON, CompiledLines, Work
from handgrad.engine.tape import Tape
from handgrad.models.family import Family
from handgrad.models.trained import Model


@functools.lru_cache(maxsize=16)
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
    compiled = compiled_lines(model.config)
    at_once = min(reading.LINES_AT_ONCE, compiled.at_once)
    return reading.Readers(lambda: Reader(compiled, model.parameters, at_once), at_once)


def log_probabilities(model: Model, contexts: np.ndarray) -> np.ndarray:
    """Of each next token, (N, vocab_size) float32, from contexts, (N, K), 0 where the line had not begun."""
    return reading.log_probabilities(model, readers(model), contexts)


def mean_loss(model: Model, tokens: np.ndarray) -> float:
    """Mean cross-entropy over all tokens of some lines, in nats."""
    return reading.mean_loss(model, readers(model), tokens)


def sampler(model: Model, choice: Choice, prefix: Sequence[int] | np.ndarray, max_length: int) -> reading.Sampler:
    """What draws lines from the model."""
    return reading.Sampler(model, readers(model), choice, prefix, max_length)


class Reader:
    """Reads lines token by token; see `handgrad.engine.reading`.

    Rows do not depend on each other, to the last bit.
    """

    def __init__(self, compiled: CompiledLines, parameters: Mapping[str, np.ndarray], at_once: int):  # noqa: D107
        self._flat, self._work = compiled.layout.pack(parameters, compiled.never), Work(at_once)
        p = SimpleNamespace(**compiled.layout.views(self._flat))
        self._reading = compiled.reading(p, self._work)
        self._tape = Tape(self._reading.operations, self._work.registers)
        self._log_probabilities = self._reading.log_probabilities[:, : compiled.vocab_size]

    def begin(self) -> np.ndarray:
        """Of what follows the boundary, (1, vocab_size)."""
        self._depth, self._start, self._stop = 0, 0, 0
        return self._read(np.zeros(1, np.int32), np.zeros(1, np.int32))

    def read(self, rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Of what follows each token, after the beginning of that row of the last ones: (N, vocab_size)."""
        return self._read(self._start + rows + 1, tokens)

    def _read(self, parents: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        n, work = len(tokens), self._work
        work.tree.parents[:n], work.tree.tokens[:n], work.tree.depths[:n] = parents, tokens, self._depth
        self._depth += 1
        self._start = self._stop if self._reading.is_kept else 0
        self._stop = self._start + n
        work.registers[[N_NODES, START, STOP, START_ON, STOP_ON]] = n, self._start, self._stop, 1, n + 1
        self._tape.run()
        return self._log_probabilities[:n]
