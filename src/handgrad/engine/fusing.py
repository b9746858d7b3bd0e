"""Neighbours fused into one: a linear layer of them side by side, batch norm over all of them in a minibatch, tanh.

Rows are the distinct ones among the groups of a minibatch, each computed once however often the minibatch has it. What
a member of a group contributes to the linear layer is likewise made once for each distinct member.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from handgrad.engine.contexts import Work
from handgrad.engine.flat import rows_apart
from handgrad.engine.kernels.batchnorm import (
    batchnorm_tanh_backward,
    batchnorm_tanh_forward,
    batchnorm_tanh_inference,
)
from handgrad.engine.kernels.letters import number_letters
from handgrad.engine.kernels.products import bias_forward, matmul, matmul_transposed, transpose
from handgrad.engine.kernels.rows import add_rows, add_to_each, clear_rows, take_rows, take_sums
from handgrad.engine.moments import Moments
from handgrad.engine.registers import NODES
from handgrad.engine.scoring import Layer, log_probabilities, scores
from handgrad.engine.stepping import Passes, Reading
from handgrad.engine.tape import Argument, Buffer, Extent, Operation


class Fused:
    """Groups of `width` neighbours, fused.

    Args:
        weight: the name of the matrix.
        suffix: behind the names of the parameters and buffers of batch norm.
        numbers: (N, width · T) the row of each member.
        width: members of a group.
        x: what is below, rows by number.
        n_rows: of it, at most.
        p: parameters by name.
        work: of the tapes.
        transposed: room for the matrix, transposed.
        bias: what is added before batch norm, where there is anything. In training it is not, since the mean takes it
            away again: its gradient is 0, but for rounding in the torch form.
    """

    def __init__(  # noqa: D107
        self,
        weight: str,
        suffix: str,
        numbers: np.ndarray,
        width: int,
        x: Buffer,
        n_rows: int,
        p: Mapping[str, np.ndarray],
        work: Work,
        transposed: np.ndarray,
        bias: np.ndarray | None = None,
    ):
        self.groups = groups = work.distinct(numbers, width, n_rows**width)
        most, self._all = len(groups.found), groups.extent
        self._names, self._work = [weight, f"bngain{suffix}", f"bnbias{suffix}"], work
        self._weight, self._gain, self._bias = (p[name] for name in self._names)
        self.statistics = [f"bnmean{suffix}", f"bnvar{suffix}"]
        self._statistics = [vars(work.buffers)[name] for name in self.statistics]
        self._counted = groups.counts[self._all], work.n_targets * groups.numbers.shape[1]
        inputs, hidden = self._weight.shape[0] // width, self._weight.shape[1]
        first, n_members = work.some_registers(width + 1), width * min(most, n_rows)
        self._every = Extent(first, first + width)
        self._members = [
            (Extent(first + place, first + place + 1), slice(place * inputs, (place + 1) * inputs))
            for place in range(width)
        ]
        self._rows, self._taken_rows = Buffer(np.zeros((most, width), np.int32)), Buffer(np.zeros(n_members, np.int32))
        self._taken, self._given = Buffer(rows_apart(n_members, inputs)), Buffer(rows_apart(n_members, hidden))
        self._transposed = transposed[:hidden, : width * inputs]
        self.raw, self.h, self.dh = (Buffer(rows_apart(most, hidden)) for _ in range(3))
        starts, row_of = work.registers[first : first + width + 1], np.zeros(n_rows, np.int32)
        self.linear = [
            groups.operation,
            number_letters(self._rows[self._all], self._taken_rows, starts, row_of, Buffer(groups.found)[self._all]),
            take_rows(self._taken[self._every], x, self._taken_rows[self._every]),
            *(matmul(self._given[member], self._taken[member], self._weight[part]) for member, part in self._members),
            take_sums(self.raw[self._all], self._given, self._rows[self._all]),
        ]
        self.with_bias = [*self.linear, *([] if bias is None else [bias_forward(self.raw[self._all], bias)])]

    def trained(self) -> list[Operation]:
        """With the statistics of the minibatch."""
        h, raw = self.h[self._all], self.raw[self._all]
        norm = batchnorm_tanh_forward(h, raw, *self._statistics, *self._counted, self._gain, self._bias)
        return [*self.linear, norm]

    def inferred(self) -> list[Operation]:
        """With the statistics that were measured."""
        h, raw = self.h[self._all], self.raw[self._all]
        return [*self.with_bias, batchnorm_tanh_inference(h, raw, *self._statistics, self._gain, self._bias)]

    def moments(self) -> Moments:
        """Of what `with_bias` has left."""
        n = self._work.registers[self.groups.extent.last]
        return Moments.of(self.raw.array[:n], self.groups.counts.array[:n])

    def backward(self, d: Mapping[str, np.ndarray], dx: Buffer, all_of_dx: Argument) -> list[Operation]:
        """From the gradient of the result, in `dh`, to those of the parameters, and of what is below."""
        dweight, dgain, dbias = (d[name] for name in self._names)
        update, dh, given, taken = self._work.update, self.dh[self._all], self._given, self._taken
        return [
            batchnorm_tanh_backward(
                dh, dgain, dbias, self.h[self._all], self.raw[self._all], self._statistics[1], *self._counted,
                self._gain,
            ),
            clear_rows(given[self._every]),
            add_to_each(given, self._rows[self._all], dh),
            *(matmul_transposed(dweight[part], taken[member], given[member]) for member, part in self._members),
            transpose(self._transposed, self._weight),
            *update(self._names[0]),
            *(matmul(taken[member], given[member], self._transposed[:, part]) for member, part in self._members),
            clear_rows(all_of_dx),
            add_rows(dx, self._taken_rows[self._every], taken[self._every]),
        ]  # fmt: skip


def passes_of(work: Work, levels: Sequence[Fused], layer: Layer, d: Mapping[str, np.ndarray], n_columns: int) -> Passes:
    """What is done with a minibatch: levels from the embeddings, `C`, on, then scores.

    Args:
        work: of the tapes.
        levels: each upon the one before.
        layer: that ends in the scores.
        d: gradients by name.
        n_columns: of the last level.
    """
    below = [(Buffer(d["C"]), Argument(d["C"])), *((level.dh, level.dh[level.groups.extent]) for level in levels)]
    backward = scores(work, layer, levels[-1].h, levels[-1].dh, n_columns)
    for level, (dx, all_of_dx) in zip(reversed(levels), reversed(below[:-1]), strict=True):
        backward += level.backward(d, dx, all_of_dx)
    return Passes([operation for level in levels for operation in level.trained()], [], backward, [], [])


def reading_of(work: Work, levels: Sequence[Fused], layer: Layer) -> Reading:
    """How contexts are read."""
    scored = log_probabilities(work, layer.weight, layer.bias, levels[-1].h[NODES])
    forward = [operation for level in levels for operation in level.inferred()]
    return scored._replace(operations=[*forward, *scored.operations])
