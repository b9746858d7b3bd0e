"""Training steps of models of lines, on NumPy arrays: what is the same for all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from handgrad.engine.compiling import composed, entry_point
from handgrad.engine.flat import Layout, rows_apart
from handgrad.engine.kernels.tree import grow, tree_for
from handgrad.engine.kernels.update import adam, descend
from handgrad.engine.tape import Buffer, Extent, Operation, Register, Tape, run
from handgrad.engine.training import BETA2, EPS, MOMENTS, PRODUCTS_A_CALL, refuse_outside

Arrays = Mapping[str, np.ndarray]

ZERO, N_NODES, N_ROWS, N_TARGETS, FIRST_LETTER, N_LETTERS, START, STOP, START_ON, STOP_ON, STEP = range(11)
NODES = Extent(ZERO, N_NODES)
"""Of the prefix tree, see `handgrad.engine.kernels.tree`."""
ROWS = Extent(ZERO, N_ROWS)
"""What lines begin with, and then all nodes but leaves."""
TARGETS = Extent(ZERO, N_TARGETS)
LETTERS = Extent(FIRST_LETTER, N_LETTERS)
"""In use, by number; the first is 0."""
LEVEL = Extent(START, STOP)
"""The nodes of a level of the tree, or those that are read."""
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


class Dropping(NamedTuple):
    """Which numbers dropout leaves out; see `handgrad.training.masks`.

    Args:
        share: how many; 0 for none.
        seed: of the run.
        place: of the mask's name among the random numbers.
        first: the number of the first step.
    """

    share: float = 0.0
    seed: int = 0
    place: int = 0
    first: int = 0


NOTHING = Dropping()


class Work:
    """Arrays for minibatches of lines with at most so many targets, and the registers that say how many there are.

    Args:
        n_targets: of a minibatch, at most.
        dropping: what dropout leaves out.
    """

    def __init__(self, n_targets: int, dropping: Dropping = NOTHING):  # noqa: D107
        self.n_targets, self.dropping = n_targets, dropping
        self.registers = np.zeros(STEP + 1, np.int64)
        self.tree = tree_for(n_targets)
        tree = self.tree
        self.tokens, self.parents, self.depths = Buffer(tree.tokens), Buffer(tree.parents), Buffer(tree.depths)
        self.counts, self.firsts, self.places = Buffer(tree.counts), Buffer(tree.firsts), Buffer(tree.places)
        self.targets, self.loss = Buffer(np.zeros(n_targets, np.int32)), np.zeros(1, np.float32)

    def rows(self, columns: int, more: int = 0) -> Buffer:
        """As many rows as there may be targets, and some more."""
        return Buffer(rows_apart(self.n_targets + more, columns))


class Passes(NamedTuple):
    """What a model of lines does with a minibatch.

    Args:
        before: once, at first.
        level: for each level of the tree, from its root on.
        between: once; the loss, and what the way back begins with.
        back: for each level, from the leaves on.
        after: once, at last.
        reading: reads the next token of some lines; see `handgrad.engine.models.lines.Reader`.
        log_probabilities: where that leaves those of the next token, a row for each line.
    """

    before: list[Operation]
    level: list[Operation]
    between: list[Operation]
    back: list[Operation]
    after: list[Operation]
    reading: list[Operation]
    log_probabilities: np.ndarray


@dataclass(frozen=True)
class CompiledLines:
    """The compiled form of a model of lines.

    Args:
        layout: of the parameters.
        never: the name of the vector added to the scores.
        passes: makes of parameters and gradients, views by name, and of work what is done with a minibatch.
        products: multiplications for each target, about.
        vocab_size: of the tokens.
        beta1: of Adam.
    """

    layout: Layout
    never: str
    passes: Callable[[SimpleNamespace, SimpleNamespace, Work], Passes]
    products: int
    vocab_size: int
    beta1: float = 0.9

    def sgd_steps(
        self, parameters: Arrays, lines: Lines, rates: Sequence[float], dropping: Dropping = NOTHING
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Take one step of gradient descent a minibatch: as in `handgrad.training.torch_steps`, compiled.

        Args:
            parameters: float32 arrays by name; they are not changed.
            lines: what the steps read.
            rates: (steps,) learning rates.
            dropping: what dropout leaves out.

        Returns:
            The new parameters, and the losses, (steps,) float32 in nats, each before its step.

        Raises:
            IndexError: a token is not a letter of the vocabulary.
        """
        flat = self.layout.pack(parameters, self.never)
        gradient = np.zeros_like(flat)

        def update(rate: np.ndarray) -> list[Operation]:
            return [descend(flat, gradient, rate)]

        losses = self._take(flat, gradient, update, lines, rates, dropping)
        return self.layout.unpack(flat), losses

    def adam_steps(
        self,
        parameters: Arrays,
        moments: Arrays,
        lines: Lines,
        rates: Sequence[float],
        weight_decay: float = 0.0,
        dropping: Dropping = NOTHING,
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
        """Take one step of Adam with decoupled weight decay, of matrices alone, a minibatch.

        Args:
            parameters: as in `sgd_steps`.
            moments: from `handgrad.engine.training.no_moments`, or returned by the call before.
            lines: as in `sgd_steps`.
            rates: as in `sgd_steps`.
            weight_decay: the part of each number that is lost in a step, in units of the rate.
            dropping: as in `sgd_steps`.

        Returns:
            The new parameters, the new moments, and the losses, the same however the steps are cut into calls.

        Source: Kingma and Ba 2015, arXiv:1412.6980; Loshchilov and Hutter 2019, arXiv:1711.05101.
        """
        flat, done = self.layout.pack(parameters, self.never), int(moments["steps"])
        mean, square = (self.layout.pack({name: moments[f"{kind}_{name}"] for name in parameters}) for kind in MOMENTS)
        gradient, matrices = np.zeros_like(flat), self.layout.matrices

        def update(rate: np.ndarray) -> list[Operation]:
            now = Register(STEP, done), float(self.beta1), BETA2, EPS
            return [
                adam(*(array[part] for array in (flat, gradient, mean, square)), rate, *now, decay)
                for part, decay in ((slice(matrices), float(weight_decay)), (slice(matrices, None), 0.0))
            ]

        losses = self._take(flat, gradient, update, lines, rates, dropping)
        new_moments = {"steps": np.array(done + len(losses))}
        for kind, values in zip(MOMENTS, (mean, square), strict=True):
            new_moments |= {f"{kind}_{name}": value for name, value in self.layout.unpack(values).items()}
        return self.layout.unpack(flat), new_moments, losses

    def loss_and_gradients(
        self, parameters: Arrays, lines: Lines, dropping: Dropping = NOTHING
    ) -> tuple[float, dict[str, np.ndarray]]:
        """The mean loss of one minibatch, and the gradients of the parameters by name."""
        flat = self.layout.pack(parameters, self.never)
        gradient = np.zeros_like(flat)
        losses = self._take(flat, gradient, lambda _: [], lines, [0.0], dropping)
        return float(losses[0]), self.layout.unpack(gradient)

    def _take(
        self,
        flat: np.ndarray,
        gradient: np.ndarray,
        update: Callable[[np.ndarray], list[Operation]],
        lines: Lines,
        rates: Sequence[float],
        dropping: Dropping,
    ) -> np.ndarray:
        """Change what the update changes step by step; the losses."""
        refuse_outside(lines.text, self.vocab_size, "a token", "the vocabulary")
        most = int((lines.starts[:, -1] - lines.starts[:, 0]).max(initial=1))
        work, rate = Work(most, dropping), np.zeros(1, np.float32)
        passes = self.passes(self._views(flat), self._views(gradient), work)
        parts = passes.before, passes.level, passes.between, passes.back, passes.after + update(rate)
        tapes = [Tape(part, work.registers) for part in parts]
        losses, all_rates = np.empty(len(rates), np.float32), np.asarray(rates, np.float32)
        at_once = max(1, int(PRODUCTS_A_CALL / (3 * self.products * most)))
        for start in range(0, len(rates), at_once):
            now = slice(start, start + at_once)
            _take_steps(
                *(tape.rows for tape in tapes), work.registers, work.tree, work.targets.array, work.loss, rate,
                lines.text, lines.starts[now], all_rates[now], losses[now], start,
            )  # fmt: skip
        return losses

    def _views(self, flat: np.ndarray) -> SimpleNamespace:
        return SimpleNamespace(**self.layout.views(flat))


@entry_point
def _take_steps(
    before, level, between, back, after, registers, tree, all_targets, loss, rate, text, starts, rates, losses, first
):  # fmt: skip
    for step in range(rates.size):
        n_levels = grow(tree, text, starts[step])
        targets = text[starts[step, 0] : starts[step, -1]]
        all_targets[: targets.size] = targets
        registers[N_NODES], registers[N_ROWS] = tree.levels[n_levels], tree.levels[n_levels - 1] + 1
        registers[N_TARGETS], registers[STEP], rate[0] = targets.size, first + step, rates[step]
        run(before)
        for n in range(n_levels):
            _go_to(registers, tree.levels, n)
            run(level)
        run(between)
        for n in range(n_levels - 1, -1, -1):
            _go_to(registers, tree.levels, n)
            run(back)
        run(after)
        losses[step] = loss[0]


@composed
def _go_to(registers, levels, n):
    registers[START], registers[STOP] = levels[n], levels[n + 1]
    registers[START_ON], registers[STOP_ON] = levels[n] + 1, min(levels[n + 1] + 1, registers[N_ROWS])


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
    lengths = np.diff(starts)[numbers]
    ends = np.cumsum(lengths).reshape(lengths.shape)
    begins = np.column_stack([ends[:, :1] - lengths[:, :1], ends])
    text = np.empty(int(ends[-1, -1]), np.int32)
    _read_lines(text, tokens, starts[numbers].reshape(-1), lengths.reshape(-1))
    return Lines(text, begins)


@entry_point
def _read_lines(text, tokens, starts, lengths):
    end = 0
    for n in range(starts.size):
        for place in range(lengths[n]):
            text[end] = tokens[starts[n] + place]
            end += 1
