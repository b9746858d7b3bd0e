"""The compiled form of the recurrent network."""

from typing import NamedTuple

import numpy as np

from handgrad.engine.compiling import composed, entry_point
from handgrad.engine.flat import Layout, rows_apart
from handgrad.engine.kernels import rnn
from handgrad.engine.kernels.rows import add_rows
from handgrad.engine.kernels.tree import grow
from handgrad.engine.lines import CompiledLines, take_update
from handgrad.engine.matmul import add_product, matmul, transpose
from handgrad.engine.operations import copy
from handgrad.engine.recurrent import (
    Work,
    enter,
    inputs_backward,
    inputs_forward,
    log_probabilities_of,
    scores,
    work_for,
)
from handgrad.engine.vectors import padded
from handgrad.models.rnn import RNN

_ONE = np.float32(1)


class Parameters(NamedTuple):
    """Views of a flat vector, padded, by the names of `RNN.shapes`."""

    C: np.ndarray
    Wxh: np.ndarray
    bh: np.ndarray
    Whh: np.ndarray
    h0: np.ndarray
    Why: np.ndarray
    by: np.ndarray


def compiled_lines(network: RNN) -> CompiledLines:
    """The compiled form of a model of these sizes."""
    hidden = padded(network.n_hidden)

    def work(n_targets: int, dropping: bool) -> tuple[Work, np.ndarray, int]:
        return work_for(network, n_targets, dropping), rows_apart(hidden, hidden), network.n_hidden

    return CompiledLines(
        Layout(network.shapes, {}, ["bh", "h0", "by"]),
        "by", Parameters, work, _steps, _read, hidden * hidden, network.vocab_size, network.beta1,
    )  # fmt: skip


@composed
def recur(w, p, start, stop):
    """The states of the nodes of a depth."""
    a, before = w.a[start:stop], w.before[start:stop]
    enter(w, start, stop)
    add_product(a, before, p.Whh, _ONE)
    rnn.state_forward(w.h[start + 1 : stop + 1], a)


@composed
def recur_backward(w, Whh_transposed, start, stop):
    """From the gradient of the states of a depth that of what they took in; the states before gain theirs."""
    a, dh = w.a[start:stop], w.dh[start + 1 : stop + 1]
    rnn.state_backward(a, dh, w.h[start + 1 : stop + 1])
    matmul(dh, a, Whh_transposed)
    add_rows(w.dh, w.tree.parents[start:stop], dh)


@entry_point
def _steps(u, p, d, work, text, starts, rates, losses, dropping):
    w, Whh_transposed, n_hidden = work
    for step in range(rates.size):
        n, depth = grow(w.tree, text, starts[step])
        targets = text[starts[step, 0] : starts[step, -1]]

        inputs_forward(w, p, n)
        copy(w.h[0], p.h0)
        for level in range(depth):
            recur(w, p, w.tree.levels[level], w.tree.levels[level + 1])
        losses[step] = scores(w, d, p, n, targets, n_hidden, dropping, step)

        transpose(Whh_transposed, p.Whh)
        for level in range(depth - 1, -1, -1):
            recur_backward(w, Whh_transposed, w.tree.levels[level], w.tree.levels[level + 1])
        copy(d.h0, w.dh[0])
        matmul(d.Whh, w.before[:n].T, w.a[:n])
        inputs_backward(w, d, p, n)
        take_update(u, rates[step], step)


@entry_point
def _read(p, work, n):
    w, _, _ = work
    inputs_forward(w, p, n)
    copy(w.h[0], p.h0)
    recur(w, p, 0, n)
    log_probabilities_of(w, p, n)
