"""The compiled form of the recurrent network."""

from types import SimpleNamespace

from handgrad.engine.flat import Layout
from handgrad.engine.kernels import rnn
from handgrad.engine.kernels.rows import add_rows
from handgrad.engine.lines import LEVEL, CompiledLines, Work
from handgrad.engine.recurrent import Arrays, Both, Recurrence, both_of, compiled_recurrent
from handgrad.engine.vectors import padded
from handgrad.models.rnn import RNN


def compiled_lines(network: RNN) -> CompiledLines:
    """The compiled form of a model of these sizes."""
    size = padded(network.n_hidden)
    states = LEVEL.shifted(1)

    def both(p: SimpleNamespace, d: SimpleNamespace, work: Work) -> Both:
        w = Arrays(network, work, onward=size)
        level = [rnn.state_forward(w.h[states], w.a[LEVEL])]
        back = [
            rnn.state_backward(w.a[LEVEL], w.dh[states], w.h[states]),
            add_rows(w.donward, work.parents[LEVEL], w.a[LEVEL]),
        ]
        return both_of(network, p, d, work, w, Recurrence(p.Whh, d.Whh, level, back))

    layout = Layout(network.shapes, {}, ["bh", "h0", "by"])
    return compiled_recurrent(network, layout, both, products=size * size)
