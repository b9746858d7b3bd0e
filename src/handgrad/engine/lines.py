"""Models of lines: their minibatches, and the prefix tree of one."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from handgrad.engine.kernels.tree import grow, read_targets, tree_for
from handgrad.engine.reading import LINES_AT_ONCE
from handgrad.engine.registers import (
    LEVEL,
    N_LEVELS,
    N_NODES,
    N_ROWS,
    N_TARGETS,
    NODES,
    START,
    START_ON,
    STEP,
    STOP,
    STOP_ON,
    TARGETS,
    ZERO,
)
from handgrad.engine.stepping import NOTHING, Compiled, Dropping, Passes, Reading, Room
from handgrad.engine.tape import Buffer, Extent, Operation, Register
from handgrad.engine.training import refuse_outside

__all__ = [
    "FIRST_LETTER", "GOING_ON", "LETTERS", "LEVEL", "NODES", "NOTHING", "N_LETTERS", "N_LEVELS", "N_NODES", "N_ROWS",
    "N_TARGETS", "ROWS", "START", "START_ON", "STEP", "STOP", "STOP_ON", "TARGETS", "ZERO", "CompiledLines",
    "Dropping", "Lines", "Passes", "Reading", "Work", "read_lines",
]  # fmt: skip

FIRST_LETTER, N_LETTERS = range(STOP_ON + 1, STOP_ON + 3)
ROWS = Extent(ZERO, N_ROWS)
"""What lines begin with, and then all nodes but leaves."""
LETTERS = Extent(FIRST_LETTER, N_LETTERS)
"""In use, by number; the first is 0."""
GOING_ON = Extent(START_ON, STOP_ON)
"""Of the rows those of a level's nodes that are no leaves."""


class Lines(NamedTuple):
    """The lines of some minibatches, one after another.

    Args:
        text: their tokens, each line followed by one 0, flat, int32.
        starts: (steps, N + 1) int64, where in it each line of a minibatch starts, and where the last one ends.
    """

    text: np.ndarray
    starts: np.ndarray

    @property
    def n_steps(self) -> int:
        """How many minibatches there are."""
        return len(self.starts)


class Work(Room):
    """Room for minibatches of lines, and for their prefix tree.

    Args:
        n_targets: of a minibatch, at most.
        dropping: what dropout leaves out.
    """

    def __init__(self, n_targets: int, dropping: Dropping = NOTHING):  # noqa: D107
        super().__init__(n_targets, dropping, registers=N_LETTERS + 1)
        self.tree = tree = tree_for(n_targets)
        self.levels = tree.levels
        self.tokens, self.parents, self.depths = Buffer(tree.tokens), Buffer(tree.parents), Buffer(tree.depths)
        self.counts, self.firsts, self.places = Buffer(tree.counts), Buffer(tree.firsts), Buffer(tree.places)

    def read(self, lines: "Lines") -> list[Operation]:
        """What reads the minibatch of a step."""
        sizes, step = self.registers[N_LEVELS : N_TARGETS + 1], Register(STEP)
        return [
            grow(sizes, *self.tree, lines.text, lines.starts, step),
            read_targets(self.targets, lines.text, lines.starts, step),
        ]


@dataclass(frozen=True)
class CompiledLines(Compiled[Lines, Work]):
    """The compiled form of a model of lines; its matrices decay, its vectors do not.

    Args:
        longest: the most tokens of a line; None for any number.
        at_once: so many lines are read together at most.
    """

    longest: int | None = None
    at_once: int = LINES_AT_ONCE

    @property
    def decaying(self) -> int:
        """As many as the matrices have."""
        return self.layout.matrices

    def work(self, batches: Lines, dropping: Dropping) -> tuple[Work, list[Operation]]:
        """Room for the longest lines."""
        refuse_outside(batches.text, self.vocab_size, "a token", "the vocabulary")
        if self.longest is not None and np.diff(batches.starts).max(initial=0) > self.longest:
            raise ValueError(f"a line has more than the {self.longest} tokens that can be read")
        work = Work(int((batches.starts[:, -1] - batches.starts[:, 0]).max(initial=1)), dropping)
        return work, work.read(batches)


def read_lines(tokens: np.ndarray, starts: np.ndarray, numbers: np.ndarray) -> Lines:
    """The lines of some minibatches.

    Args:
        tokens: lines, each followed by one 0, flat, in any integer type.
        starts: (lines + 1,) where each starts, and where the last one ends.
        numbers: (steps, N) which lines.

    Example:
        >>> lines = read_lines(np.array([5, 13, 1, 0, 2, 0]), np.array([0, 4, 6]), np.array([[1, 0], [1, 1]]))
        >>> lines.text, lines.starts
        (array([ 2,  0,  5, 13,  1,  0,  2,  0,  2,  0], dtype=int32), array([[ 0,  2,  6],
               [ 6,  8, 10]]))
    """
    lengths = starts[numbers + 1] - starts[numbers]
    ends = np.cumsum(lengths).reshape(lengths.shape)
    begins = np.column_stack([ends[:, :1] - lengths[:, :1], ends])
    here = np.arange(ends[-1, -1]) + np.repeat((starts[numbers] - (ends - lengths)).ravel(), lengths.ravel())
    return Lines(tokens[here].astype(np.int32), begins)
