"""The compiled form of the recurrent network."""

from typing import NamedTuple

import numpy as np

from handgrad.engine.compiling import composed, entry_point
from handgrad.engine.flat import Layout, rows_apart
from handgrad.engine.kernels import rnn
from handgrad.engine.kernels.rows import add_rows, clear_rows
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
        return work_for(network, n_targets, dropping, hidden), rows_apart(hidden, hidden), network.n_hidden

    return CompiledLines(
        Layout(network.shapes, {}, ["bh", "h0", "by"]),
        "by", Parameters, work, _steps, _read, hidden * hidden, network.vocab_size, network.beta1,
    )  # fmt: skip


@composed
def recur(w, start, stop):
    """The states of some nodes."""
    enter(w, start, stop)
    rnn.state_forward(w.h[start + 1 : stop + 1], w.a[start:stop])


@entry_point
def _steps(u, p, d, work, text, starts, rates, losses, dropping):
    w, Whh_transposed, n_hidden = work
    for step in range(rates.size):
        levels, n_levels = w.tree.levels, grow(w.tree, text, starts[step])
        n, rows = levels[n_levels], levels[n_levels - 1] + 1
        targets = text[starts[step, 0] : starts[step, -1]]

        inputs_forward(w, p, n)
        copy(w.h[0], p.h0)
        matmul(w.onward[:1], w.h[:1], p.Whh)
        for level in range(n_levels):
            recur(w, levels[level], levels[level + 1])
            now = slice(levels[level] + 1, min(levels[level + 1] + 1, rows))
            matmul(w.onward[now], w.h[now], p.Whh)
        losses[step] = scores(w, d, p, n, targets, n_hidden, dropping, step)

        transpose(Whh_transposed, p.Whh)
        donward = w.onward
        clear_rows(donward[:rows])
        for level in range(n_levels - 1, -1, -1):
            start, stop = levels[level], levels[level + 1]
            now = slice(start + 1, min(stop + 1, rows))
            add_product(w.dh[now], donward[now], Whh_transposed, _ONE)
            rnn.state_backward(w.a[start:stop], w.dh[start + 1 : stop + 1], w.h[start + 1 : stop + 1])
            add_rows(donward, w.tree.parents[start:stop], w.a[start:stop])
        matmul(w.dh[:1], donward[:1], Whh_transposed)
        copy(d.h0, w.dh[0])
        matmul(d.Whh, w.h[:rows].T, donward[:rows])
        inputs_backward(w, d, p, n)
        take_update(u, rates[step], step)


@entry_point
def _read(p, work, n):
    w, _, _ = work
    inputs_forward(w, p, n)
    copy(w.h[0], p.h0)
    matmul(w.onward[:1], w.h[:1], p.Whh)
    recur(w, 0, n)
    matmul(w.onward[: n + 1], w.h[: n + 1], p.Whh)
    log_probabilities_of(w, p, n)
