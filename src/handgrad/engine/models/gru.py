"""The compiled form of the gated recurrent network."""

from types import SimpleNamespace

from handgrad.engine.flat import Layout, rows_apart
from handgrad.engine.kernels import gru
from handgrad.engine.kernels.products import add_product, matmul, matmul_transposed, transpose
from handgrad.engine.kernels.rows import add_rows, take_rows
from handgrad.engine.lines import LEVEL, NODES, CompiledLines, Work
from handgrad.engine.recurrent import Arrays, Both, Recurrence, both_of, compiled_recurrent
from handgrad.engine.vectors import padded
from handgrad.models.gru import GRU


def compiled_lines(network: GRU) -> CompiledLines:
    """The compiled form of a model of these sizes."""
    size = padded(network.n_hidden)
    states = LEVEL.shifted(1)

    def both(p: SimpleNamespace, d: SimpleNamespace, work: Work) -> Both:
        w = Arrays(network, work, onward=2 * size)
        before, reset, dreset = work.rows(size), work.rows(size), work.rows(size)
        transposed = rows_apart(size, size)
        level = [
            take_rows(before[LEVEL], w.h, work.parents[LEVEL]),
            gru.gates_forward(w.a[LEVEL], reset[LEVEL], before[LEVEL]),
            add_product(w.a[LEVEL, 2 * size :], reset[LEVEL], p.Whh),
            gru.state_forward(w.h[states], w.a[LEVEL], before[LEVEL]),
        ]
        back = [
            gru.state_backward(w.a[LEVEL], w.dh[states], before[LEVEL]),
            matmul(dreset[LEVEL], w.a[LEVEL, 2 * size :], transposed),
            gru.gates_backward(w.a[LEVEL], w.dh[states], dreset[LEVEL], before[LEVEL]),
            add_rows(w.dh, work.parents[LEVEL], w.dh[states]),
            add_rows(w.donward, work.parents[LEVEL], w.a[LEVEL, : 2 * size]),
        ]
        recurrence = Recurrence(
            p.Whzr, d.Whzr, level, back,
            turn=[transpose(transposed, p.Whh)],
            end=[matmul_transposed(d.Whh, reset[NODES], w.a[NODES, 2 * size :])],
        )  # fmt: skip
        return both_of(network, p, d, work, w, recurrence)

    layout = Layout(network.shapes, {"Wxh": 3, "bh": 3, "Whzr": 2}, ["bh", "h0", "by"])
    return compiled_recurrent(network, layout, both, products=3 * size * size)
