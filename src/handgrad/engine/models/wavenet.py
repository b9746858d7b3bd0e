"""The compiled form of the network like WaveNet.

Rows are the distinct ones among the pairs of a level, each computed once however often a minibatch has it. What a half
of a pair contributes to the linear layer is likewise made once for each distinct half.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np

from handgrad.engine.contexts import CompiledContexts, Distinct, Work
from handgrad.engine.flat import Layout, rows_apart
from handgrad.engine.kernels.batchnorm import (
    batchnorm_tanh_backward,
    batchnorm_tanh_forward,
    batchnorm_tanh_inference,
)
from handgrad.engine.kernels.letters import number_letters
from handgrad.engine.kernels.products import matmul, matmul_transposed, transpose
from handgrad.engine.kernels.rows import add_rows, add_to_each, clear_rows, take_rows, take_sums
from handgrad.engine.scoring import Layer, scores
from handgrad.engine.stepping import NODES, ZERO, Passes
from handgrad.engine.tape import Buffer, Extent
from handgrad.engine.vectors import padded
from handgrad.models.wavenet import WaveNet


def compiled_contexts(network: WaveNet) -> CompiledContexts:
    """The compiled form of a model of these sizes."""

    def passes(p: SimpleNamespace, d: SimpleNamespace, work: Work) -> Passes:
        levels, below = [], work.contexts
        x, dx, dx_now, n_below = Buffer(p.C), Buffer(d.C), d.C, network.vocab_size
        for number in network.levels:
            level = _Level(number, work.distinct(below, 2, n_below**2), n_below, vars(p), vars(d), work, x, (dx, dx_now))
            levels.append(level)
            below, n_below, x, dx = level.pairs.numbers, len(level.pairs.found), level.h, level.dh
            dx_now = dx[level.pairs.extent]
        scored = scores(work, Layer(p.Wy, p.by, d.Wy, d.by), x, dx, network.n_hidden, NODES)
        forward = [operation for level in levels for operation in (*level.linear, level.normalised)]
        reading = [operation for level in levels for operation in (*level.linear, level.inferred)]
        backward = [operation for level in reversed(levels) for operation in level.backward]
        return Passes(
            forward, [], [*scored.training, *backward], [], [], [*reading, *scored.reading], scored.log_probabilities
        )

    weights = {name: 2 for name in network.shapes if name[0] == "W" and name != "Wy"}
    vectors = [name for name in network.shapes if name[0] == "b"]
    a_context = sum(np.prod(network.shapes[name]) for name in weights)
    return CompiledContexts(
        Layout(network.shapes, {}, vectors, weights), "by", passes, int(a_context), network.vocab_size, network.beta1,
        block_size=network.block_size, buffers=Layout(network.buffer_shapes, {}, list(network.buffer_shapes)),
    )  # fmt: skip


class _Level:
    """Pairs of what is below are fused: a linear layer of both halves, batch norm over all pairs, tanh.

    Args:
        number: of the level.
        pairs: the distinct ones.
        n_below: how many halves there may be.
        p: parameters by name.
        d: their gradients.
        work: of the tapes.
        x: what is below, a row for each half.
        dx: receives its gradient; all rows, and those in use.
    """

    def __init__(
        self,
        number: int,
        pairs: Distinct,
        n_below: int,
        p: dict[str, np.ndarray],
        d: dict[str, np.ndarray],
        work: Work,
        x: Buffer,
        dx: tuple[Buffer, Any],
    ):
        self.pairs, most, all_of_them = pairs, len(pairs.found), pairs.extent
        weight, dweight, gain, bias = p[f"W{number}"], d[f"W{number}"], p[f"bngain{number}"], p[f"bnbias{number}"]
        mean, variance = (vars(work.buffers)[f"{name}{number}"] for name in ("bnmean", "bnvar"))
        inputs, hidden = weight.shape[0] // 2, weight.shape[1]
        start = work.some_registers(3)
        halves, both = (Extent(start, start + 1), Extent(start + 1, start + 2)), Extent(start, start + 2)
        n_halves = 2 * min(most, n_below)
        rows, takes = Buffer(np.zeros((most, 2), np.int32)), Buffer(np.zeros(n_halves, np.int32))
        taken, given = Buffer(rows_apart(n_halves, inputs)), Buffer(rows_apart(n_halves, hidden))
        raw, self.h, self.dh = (Buffer(rows_apart(most, hidden)) for _ in range(3))
        transposed = rows_apart(hidden, 2 * inputs)
        counted = pairs.counts[all_of_them], work.n_targets * pairs.numbers.shape[1]
        parts = [(half, slice(n * inputs, (n + 1) * inputs)) for n, half in enumerate(halves)]
        starts, row_of = work.registers[start : start + 3], np.zeros(n_below, np.int32)
        self.linear = [
            pairs.operation,
            number_letters(rows[all_of_them], takes, starts, row_of, Buffer(pairs.found)[all_of_them]),
            take_rows(taken[both], x, takes[both]),
            *(matmul(given[half], taken[half], weight[part]) for half, part in parts),
            take_sums(raw[all_of_them], given, rows[all_of_them]),
        ]
        self.normalised = batchnorm_tanh_forward(
            self.h[all_of_them], raw[all_of_them], mean, variance, *counted, gain, bias
        )
        self.inferred = batchnorm_tanh_inference(self.h[all_of_them], raw[all_of_them], mean, variance, gain, bias)
        self.backward = [
            batchnorm_tanh_backward(
                self.dh[all_of_them], d[f"bngain{number}"], d[f"bnbias{number}"], self.h[all_of_them],
                raw[all_of_them], variance, *counted, gain,
            ),
            *work.update(f"bngain{number}"),
            *work.update(f"bnbias{number}"),
            clear_rows(given[both]),
            add_to_each(given, rows[all_of_them], self.dh[all_of_them]),
            *(matmul_transposed(dweight[part], taken[half], given[half]) for half, part in parts),
            transpose(transposed, weight),
            *work.update(f"W{number}"),
            *(matmul(taken[half], given[half], transposed[:, part]) for half, part in parts),
            clear_rows(dx[1]),
            add_rows(dx[0], takes[both], taken[both]),
        ]  # fmt: skip
