"""Models of contexts: their minibatches, and what is the same in one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from handgrad.engine.flat import Layout
from handgrad.engine.kernels.distinct import number_distinct, read_contexts
from handgrad.engine.registers import N_NODES, N_TARGETS, STEP, STOP_ON, TARGETS, ZERO
from handgrad.engine.stepping import NOTHING, Arrays, Compiled, Dropping, Room
from handgrad.engine.tape import Buffer, Extent, Operation, Register
from handgrad.engine.training import refuse_outside
from handgrad.engine.vectors import aligned_zeros

REGISTERS = STOP_ON + 64
"""Enough for the levels of a binary tree over any context, or with as many more as it has tokens, for one of all."""


class Contexts(NamedTuple):
    """The contexts of some minibatches, and what follows each.

    Args:
        contexts: (steps, N, block_size) integers.
        targets: (steps, N) integers.
    """

    contexts: np.ndarray
    targets: np.ndarray

    @property
    def n_steps(self) -> int:
        """How many minibatches there are."""
        return len(self.targets)


class Distinct(NamedTuple):
    """The distinct ones among the parts of equal length into which some rows were cut.

    Args:
        numbers: (N, T) the number of each part.
        found: (most, K) the distinct ones.
        counts: how often each occurs.
        extent: of them.
        operation: that finds them.
    """

    numbers: np.ndarray
    found: np.ndarray
    counts: Buffer
    extent: Extent
    operation: Operation


class Work(Room):
    """Room for minibatches of contexts.

    Args:
        n_targets: of a minibatch, at most.
        block_size: tokens of a context.
        buffers: of the model, views by name: what is measured, or was.
        dropping: what dropout leaves out.
    """

    def __init__(  # noqa: D107
        self, n_targets: int, block_size: int, buffers: SimpleNamespace, dropping: Dropping = NOTHING
    ):
        super().__init__(n_targets, dropping, REGISTERS + block_size)
        self.registers[N_TARGETS], self._free = n_targets, STOP_ON + 1
        self.contexts, self.buffers = np.zeros((n_targets, block_size), np.int32), buffers
        self.levels = np.zeros(1, np.int64)

    def some_registers(self, n: int) -> int:
        """The first of so many registers that nothing else uses."""
        self._free += n
        return self._free - n

    def distinct(self, rows: np.ndarray, width: int, most: int) -> Distinct:
        """The distinct ones among the parts of some rows.

        Where a row is one part, they are the nodes for which there are scores.

        Args:
            rows: (n_targets, columns) integers.
            width: of a part.
            most: so many different ones there may be.
        """
        n_parts = rows.shape[1] // width
        numbers = np.zeros((self.n_targets, n_parts), np.int32)
        found = np.zeros((min(numbers.size, most), width), np.int32)
        counts, slots = np.zeros(len(found), np.float32), np.zeros(2 ** (2 * numbers.size).bit_length(), np.int32)
        end = N_NODES if n_parts == 1 else self.some_registers(1)
        operation = number_distinct(
            Buffer(numbers)[TARGETS], found, counts, self.registers[end : end + 1], Buffer(rows)[TARGETS], slots
        )
        if n_parts == 1:
            self.counts, self.places = Buffer(counts), Buffer(numbers[:, 0])
        return Distinct(numbers, found, Buffer(counts), Extent(ZERO, end), operation)


@dataclass(frozen=True, kw_only=True)
class CompiledContexts(Compiled[Contexts, Work]):
    """The compiled form of a model of contexts.

    Args:
        block_size: tokens of a context.
        buffers: their layout.
        levels: makes of parameters and work the levels with batch norm, from the lowest on.
    """

    block_size: int
    buffers: Layout
    levels: Callable[[SimpleNamespace, Work], list[Any]] = field(default=lambda *_: [])

    @property
    def decaying(self) -> int:
        """All."""
        return self.layout.size

    def work(self, batches: Contexts, dropping: Dropping) -> tuple[Work, list[Operation]]:
        """Room for the minibatches, which are of equal size."""
        contexts, targets = (np.ascontiguousarray(tokens, np.int32) for tokens in batches)
        if contexts.shape != (*targets.shape, self.block_size):
            shapes = f"contexts {contexts.shape}, targets {targets.shape}"
            raise ValueError(f"the shapes do not fit: {shapes}, block_size {self.block_size}")
        for tokens in (contexts, targets):
            refuse_outside(tokens, self.vocab_size, "a token", "the vocabulary")
        nothing = SimpleNamespace(**self.buffers.views(aligned_zeros(self.buffers.size)))
        work = Work(targets.shape[1], self.block_size, nothing, dropping)
        all_of_them = contexts.reshape(-1, self.block_size), targets.reshape(-1)
        return work, [read_contexts(work.contexts, work.targets, *all_of_them, Register(STEP))]

    def room_to_read(self, buffers: Arrays, n: int) -> Work:
        """Room for so many contexts."""
        return Work(n, self.block_size, SimpleNamespace(**self.buffers.views(self.buffers.pack(buffers))))
