"""The compiled form of the recurrent network."""

from types import SimpleNamespace

from handgrad.engine.flat import Layout
from handgrad.engine.kernels import rnn
from handgrad.engine.kernels.rows import add_rows
from handgrad.engine.lines import LEVEL, CompiledLines, Passes, Work
from handgrad.engine.recurrent import Arrays, Recurrence, passes_of
from handgrad.engine.vectors import padded
from handgrad.models.rnn import RNN


def compiled_lines(network: RNN) -> CompiledLines:
    """The compiled form of a model of these sizes."""
    size = padded(network.n_hidden)
    states = LEVEL.shifted(1)

    def passes(p: SimpleNamespace, d: SimpleNamespace, work: Work) -> Passes:
        w = Arrays(network, work, onward=size)
        level = [rnn.state_forward(w.h[states], w.a[LEVEL])]
        back = [
            rnn.state_backward(w.a[LEVEL], w.dh[states], w.h[states]),
            add_rows(w.donward, work.parents[LEVEL], w.a[LEVEL]),
        ]
        return passes_of(network, p, d, work, w, Recurrence(p.Whh, d.Whh, level, back))

    return CompiledLines(
        Layout(network.shapes, {}, ["bh", "h0", "by"]),
        "by", passes, size * size, network.vocab_size, network.beta1,
    )  # fmt: skip
