"""The compiled form of families that read contexts, but for those that have one of their own."""

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np

from handgrad.engine import reading
from handgrad.engine.contexts import CompiledContexts, Work
from handgrad.engine.distributions import Choice, Thresholds
from handgrad.engine.moments import Moments
from handgrad.engine.registers import N_TARGETS
from handgrad.engine.sampler import LineSampler
from handgrad.engine.tape import Tape
from handgrad.engine.training import read_batches, refuse_outside
from handgrad.engine.vectors import aligned_zeros
from handgrad.models.family import Family
from handgrad.models.trained import Model
from handgrad.threads import share

CONTEXTS_AT_ONCE = 2**10
"""Read together: the more there are, the more is the same in them."""
PARTS_AT_ONCE = 2**10
"""Whose moments wait to be merged."""
Result = TypeVar("Result")


@functools.lru_cache(maxsize=16)
def compiled_contexts(network: Family) -> CompiledContexts:
    """What the file of the family's name has for a model of these sizes."""
    return importlib.import_module(f"handgrad.engine.models.{network.name}").compiled_contexts(network)


def calibrate(
    network: Family, parameters: Mapping[str, np.ndarray], tokens: np.ndarray, limit: int | None = None
) -> dict[str, np.ndarray]:
    """The statistics of batch norm over a text, or over the first `limit` tokens of it.

    Level by level, those below already fixed.

    Source: lecture, "calibrate the batch norm at the end of training".
    """
    compiled, tokens = compiled_contexts(network), tokens[:limit]
    flat, buffers = compiled.layout.pack(parameters, compiled.never), aligned_zeros(compiled.buffers.size)
    p, views = compiled.views(flat), compiled.buffers.views(buffers)

    def levels_for(n: int) -> tuple[Work, list[Any]]:
        work = Work(n, compiled.block_size, SimpleNamespace(**views))
        return work, compiled.levels(p, work)

    for number, level in enumerate(levels_for(1)[1]):
        measured = None
        for some in _parts(range(len(tokens)), CONTEXTS_AT_ONCE * PARTS_AT_ONCE):
            parts = _parts(some, CONTEXTS_AT_ONCE)
            for moments in share(parts, functools.partial(_measuring, levels_for, number, tokens, len(parts[0]))):
                measured = moments if measured is None else measured.merged(moments)
        if measured is not None:
            for name, statistic in zip(level.statistics, (measured.mean, measured.variance), strict=True):
                views[name][:] = statistic
    return compiled.buffers.unpack(buffers)


def _measuring(
    levels_for: Callable[[int], tuple[Work, list[Any]]], number: int, tokens: np.ndarray, at_once: int
) -> Callable[[range], Moments]:
    """What measures a level on the contexts at some places of a text, at most so many."""
    work, levels = levels_for(at_once)
    *below, level = levels[: number + 1]
    tape = Tape([*(step for fused in below for step in fused.inferred()), *level.with_bias], work.registers)

    def measure(part: range) -> Moments:
        contexts, _ = read_batches(tokens, np.arange(part.start, part.stop), work.contexts.shape[1])
        work.contexts[: len(part)], work.registers[N_TARGETS] = contexts, len(part)
        tape.run()
        return level.moments()

    return measure


def readers(model: Model) -> reading.Readers:
    """How it is read."""
    block_size = compiled_contexts(model.config).block_size
    return reading.Readers(
        lambda: reading.Window(Reader(model, reading.LINES_AT_ONCE).read, block_size), reading.LINES_AT_ONCE
    )


def log_probabilities(model: Model, contexts: np.ndarray) -> np.ndarray:
    """Of each next token, (N, vocab_size) float32, from contexts, (N, block_size)."""
    contexts, logprobs = np.asarray(contexts), np.empty((len(contexts), model.config.vocab_size), np.float32)

    def measure(reader: "Reader", now: range) -> None:
        part = slice(now.start, now.stop)
        logprobs[part] = reader.read(contexts[part])

    _share(model, range(len(contexts)), measure)
    return logprobs


def mean_loss(model: Model, tokens: np.ndarray) -> float:
    """Mean cross-entropy over all tokens of some lines, in nats."""

    def measure(reader: "Reader", now: range) -> float:
        contexts, targets = read_batches(tokens, np.arange(now.start, now.stop), reader.block_size)
        return float(np.take_along_axis(reader.read(contexts), targets[:, None], 1).sum(dtype=np.float64))

    return -sum(_share(model, range(len(tokens)), measure)) / len(tokens)


def sampler(model: Model, choice: Choice, prefix: Sequence[int] | np.ndarray, max_length: int) -> LineSampler:
    """What draws lines from the model."""
    return LineSampler(_Thresholds(model, choice), prefix, max_length)


class Reader:
    """Reads contexts, at most so many at once.

    Rows do not depend on each other, to the last bit.
    """

    def __init__(self, model: Model, at_once: int):  # noqa: D107
        compiled = compiled_contexts(model.config)
        self.block_size, self._vocab_size = compiled.block_size, compiled.vocab_size
        self._work = compiled.room_to_read(model.buffers, at_once)
        self._flat = compiled.layout.pack(model.parameters, compiled.never)
        reading = compiled.reading(compiled.views(self._flat), self._work)
        self._tape = Tape(reading.operations, self._work.registers)
        self._log_probabilities = reading.log_probabilities[:, : self._vocab_size]

    def read(self, contexts: np.ndarray) -> np.ndarray:
        """Log-probabilities of what follows each context, (N, vocab_size)."""
        refuse_outside(contexts, self._vocab_size, "a token", "the vocabulary")
        n, work = len(contexts), self._work
        work.contexts[:n], work.registers[N_TARGETS] = contexts, n
        self._tape.run()
        return self._log_probabilities[work.places.array[:n]]


class _Thresholds(Thresholds):
    def __init__(self, model: Model, choice: Choice):
        super().__init__(model.config.vocab_size, compiled_contexts(model.config).block_size, choice)
        self._model = model

    def fill(self, thresholds: np.ndarray, contexts: np.ndarray) -> None:
        def measure(reader: "Reader", now: range) -> None:
            part = slice(now.start, now.stop)
            self.write(thresholds[part], reader.read(contexts[part]), contexts[part])

        _share(self._model, range(len(contexts)), measure)


def _share(model: Model, numbers: range, measure: Callable[[Reader, range], Result]) -> list[Result]:
    """What is measured of each part of them, in blocks that are always the same, by as many threads as there are."""

    def begin() -> Callable[[range], Result]:
        reader = Reader(model, min(len(numbers), CONTEXTS_AT_ONCE))
        return lambda part: measure(reader, part)

    return share(_parts(numbers, CONTEXTS_AT_ONCE), begin)


def _parts(numbers: range, size: int) -> list[range]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]
