"""The compiled form of the recurrent network with long short-term memory."""

from types import SimpleNamespace

from handgrad.engine.flat import Layout
from handgrad.engine.kernels import lstm
from handgrad.engine.kernels.products import copy
from handgrad.engine.kernels.rows import add_rows, clear_rows, take_rows
from handgrad.engine.lines import LEVEL, NODES, CompiledLines, Work
from handgrad.engine.recurrent import Arrays, Both, Recurrence, both_of, compiled_recurrent
from handgrad.engine.vectors import padded
from handgrad.models.lstm import LSTM


def compiled_lines(network: LSTM) -> CompiledLines:
    """The compiled form of a model of these sizes."""
    size = padded(network.n_hidden)
    states = LEVEL.shifted(1)

    def both(p: SimpleNamespace, d: SimpleNamespace, work: Work) -> Both:
        w = Arrays(network, work, onward=4 * size)
        c, dc = work.rows(size, more=1), work.rows(size, more=1)
        before, tanh_c = work.rows(size), work.rows(size)
        level = [
            take_rows(before[LEVEL], c, work.parents[LEVEL]),
            lstm.state_forward(w.h[states], c[states], tanh_c[LEVEL], w.a[LEVEL], before[LEVEL]),
        ]
        back = [
            lstm.state_backward(w.a[LEVEL], dc[states], w.dh[states], tanh_c[LEVEL], before[LEVEL]),
            add_rows(dc, work.parents[LEVEL], dc[states]),
            add_rows(w.donward, work.parents[LEVEL], w.a[LEVEL]),
        ]
        recurrence = Recurrence(
            p.Whh, d.Whh, level, back,
            begin=[copy(c.array[0], p.c0)],
            turn=[clear_rows(dc[:1]), clear_rows(dc[NODES.shifted(1)])],
            end=[copy(d.c0, dc.array[0])],
        )  # fmt: skip
        return both_of(network, p, d, work, w, recurrence)

    layout = Layout(network.shapes, {"Wxh": 4, "bh": 4, "Whh": 4}, ["bh", "h0", "c0", "by"])
    return compiled_recurrent(network, layout, both, products=4 * size * size)
