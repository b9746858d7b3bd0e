"""The compiled form of the network like WaveNet.

Rows are the distinct ones among the pairs of a level, each computed once however often a minibatch has it. What a half
of a pair contributes to the linear layer is likewise made once for each distinct half.
"""

from types import SimpleNamespace

import numpy as np

from handgrad.engine.contexts import CompiledContexts, Work
from handgrad.engine.flat import Layout, Places, rows_apart
from handgrad.engine.kernels.batchnorm import (
    batchnorm_tanh_backward,
    batchnorm_tanh_forward,
    batchnorm_tanh_inference,
)
from handgrad.engine.kernels.letters import number_letters
from handgrad.engine.kernels.products import matmul, matmul_transposed, transpose
from handgrad.engine.kernels.rows import add_rows, add_to_each, clear_rows, take_rows, take_sums
from handgrad.engine.registers import NODES
from handgrad.engine.scoring import Layer, log_probabilities, scores
from handgrad.engine.stepping import Passes, Reading
from handgrad.engine.tape import Argument, Buffer, Extent, Operation
from handgrad.models.wavenet import WaveNet


def compiled_contexts(network: WaveNet) -> CompiledContexts:
    """The compiled form of a model of these sizes."""

    def passes(p: SimpleNamespace, d: SimpleNamespace, work: Work) -> Passes:
        levels = _levels(network, p, work)
        forward = [operation for level in levels for operation in (*level.linear, level.normalised())]
        below = [(Buffer(d.C), Argument(d.C)), *((level.dh, level.dh[level.pairs.extent]) for level in levels)]
        layer = Layer(p.Wy, p.by, d.Wy, d.by)
        backward = scores(work, layer, levels[-1].h, levels[-1].dh, network.n_hidden)
        for level, (dx, all_of_dx) in zip(reversed(levels), reversed(below[:-1]), strict=True):
            backward += level.backward(vars(d), dx, all_of_dx)
        return Passes(forward, [], backward, [], [])

    def reading(p: SimpleNamespace, work: Work) -> Reading:
        levels = _levels(network, p, work)
        forward = [operation for level in levels for operation in (*level.linear, level.inferred())]
        scored = log_probabilities(work, p.Wy, p.by, levels[-1].h[NODES])
        return scored._replace(operations=[*forward, *scored.operations])

    halves = {f"W{n}": Places.of(network.shapes[f"W{n}"][0] // 2).side_by_side(2) for n in network.levels}
    vectors = [name for name in network.shapes if name[0] == "b"]
    buffers = dict.fromkeys(network.buffer_shapes, (1, network.n_hidden))
    products = sum(int(np.prod(shape)) for name, shape in network.shapes.items() if name[0] == "W")
    return CompiledContexts(
        Layout(network.shapes, {}, vectors, rows=halves), "by", passes, reading, products, network.vocab_size,
        network.beta1, block_size=network.block_size, buffers=Layout(buffers, {}, list(buffers)),
    )  # fmt: skip


def _levels(network: WaveNet, p: SimpleNamespace, work: Work) -> "list[_Level]":
    levels: list[_Level] = []
    numbers, x, n_rows = work.contexts, Buffer(p.C), network.vocab_size
    for number in network.levels:
        levels.append(_Level(number, numbers, x, n_rows, vars(p), work))
        numbers, x, n_rows = levels[-1].pairs.numbers, levels[-1].h, len(levels[-1].pairs.found)
    return levels


class _Level:
    """Neighbours are fused: a linear layer of both halves, batch norm over all pairs, tanh.

    Args:
        number: of the level.
        numbers: (N, 2T) the row of each half of a pair.
        x: what is below.
        n_rows: of it, at most.
        p: parameters by name.
        work: of the tapes.
    """

    def __init__(self, number: int, numbers: np.ndarray, x: Buffer, n_rows: int, p: dict[str, np.ndarray], work: Work):
        self.pairs = pairs = work.distinct(numbers, 2, n_rows**2)
        most, self._all = len(pairs.found), pairs.extent
        self._number, self._work = str(number), work
        self._weight, self._gain, self._bias = (p[name + self._number] for name in ("W", "bngain", "bnbias"))
        self._statistics = [vars(work.buffers)[name + self._number] for name in ("bnmean", "bnvar")]
        self._counted = pairs.counts[self._all], work.n_targets * pairs.numbers.shape[1]
        inputs, hidden = self._weight.shape[0] // 2, self._weight.shape[1]
        first, n_halves = work.some_registers(3), 2 * min(most, n_rows)
        left, right, self._both = Extent(first, first + 1), Extent(first + 1, first + 2), Extent(first, first + 2)
        self._halves = (left, slice(inputs)), (right, slice(inputs, 2 * inputs))
        self._rows, self._taken_rows = Buffer(np.zeros((most, 2), np.int32)), Buffer(np.zeros(n_halves, np.int32))
        self._taken, self._given = Buffer(rows_apart(n_halves, inputs)), Buffer(rows_apart(n_halves, hidden))
        self._transposed = rows_apart(hidden, 2 * inputs)
        self._raw, self.h, self.dh = (Buffer(rows_apart(most, hidden)) for _ in range(3))
        starts, row_of = work.registers[first : first + 3], np.zeros(n_rows, np.int32)
        self.linear = [
            pairs.operation,
            number_letters(self._rows[self._all], self._taken_rows, starts, row_of, Buffer(pairs.found)[self._all]),
            take_rows(self._taken[self._both], x, self._taken_rows[self._both]),
            *(matmul(self._given[half], self._taken[half], self._weight[part]) for half, part in self._halves),
            take_sums(self._raw[self._all], self._given, self._rows[self._all]),
        ]

    def normalised(self) -> Operation:
        """Batch norm, and tanh."""
        return batchnorm_tanh_forward(
            self.h[self._all], self._raw[self._all], *self._statistics, *self._counted, self._gain, self._bias
        )

    def inferred(self) -> Operation:
        """The same with the statistics that were measured."""
        return batchnorm_tanh_inference(
            self.h[self._all], self._raw[self._all], *self._statistics, self._gain, self._bias
        )

    def backward(self, d: dict[str, np.ndarray], dx: Buffer, all_of_dx: Argument) -> list[Operation]:
        """From the gradient of the result to those of the parameters, and of what is below."""
        dweight, dgain, dbias = (d[name + self._number] for name in ("W", "bngain", "bnbias"))
        update, dh, given, taken = self._work.update, self.dh[self._all], self._given, self._taken
        return [
            batchnorm_tanh_backward(
                dh, dgain, dbias, self.h[self._all], self._raw[self._all], self._statistics[1], *self._counted,
                self._gain,
            ),
            clear_rows(given[self._both]),
            add_to_each(given, self._rows[self._all], dh),
            *(matmul_transposed(dweight[part], taken[half], given[half]) for half, part in self._halves),
            transpose(self._transposed, self._weight),
            *update("W" + self._number),
            *(matmul(taken[half], given[half], self._transposed[:, part]) for half, part in self._halves),
            clear_rows(all_of_dx),
            add_rows(dx, self._taken_rows[self._both], taken[self._both]),
        ]  # fmt: skip
