"""The compiled form of the gated recurrent network."""

from typing import NamedTuple

import numpy as np

from handgrad.engine.compiling import composed, entry_point
from handgrad.engine.flat import Layout, rows_apart
from handgrad.engine.kernels import gru
from handgrad.engine.kernels.rows import add_rows, clear_rows, take_rows
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
from handgrad.models.gru import GRU

_ONE = np.float32(1)


class Parameters(NamedTuple):
    """Views of a flat vector, padded, by the names of `GRU.shapes`."""

    C: np.ndarray
    Wxh: np.ndarray
    bh: np.ndarray
    Whzr: np.ndarray
    Whh: np.ndarray
    h0: np.ndarray
    Why: np.ndarray
    by: np.ndarray


class Own(NamedTuple):
    """Arrays of the recurrence: what h̄ sees of the state before, and its gradient, and transposed weights."""

    reset: np.ndarray
    dreset: np.ndarray
    Whzr_transposed: np.ndarray
    Whh_transposed: np.ndarray


def compiled_lines(network: GRU) -> CompiledLines:
    """The compiled form of a model of these sizes."""
    hidden = padded(network.n_hidden)

    def work(n_targets: int, dropping: bool) -> tuple[Work, Own, int]:
        own = Own(
            rows_apart(n_targets, hidden), rows_apart(n_targets, hidden),
            rows_apart(2 * hidden, hidden), rows_apart(hidden, hidden),
        )  # fmt: skip
        return work_for(network, n_targets, dropping, 2 * hidden, before=True), own, network.n_hidden

    return CompiledLines(
        Layout(network.shapes, {"Wxh": 3, "bh": 3, "Whzr": 2}, ["bh", "h0", "by"]),
        "by", Parameters, work, _steps, _read, 3 * hidden * hidden, network.vocab_size, network.beta1,
    )  # fmt: skip


@composed
def recur(w, own, p, start, stop):
    """The states of some nodes."""
    size, a, before, reset = p.Whh.shape[0], w.a[start:stop], w.before[start:stop], own.reset[start:stop]
    enter(w, start, stop)
    take_rows(before, w.h, w.tree.parents[start:stop])
    gru.gates_forward(a, reset, before)
    add_product(a[:, 2 * size :], reset, p.Whh, _ONE)
    gru.state_forward(w.h[start + 1 : stop + 1], a, before)


@composed
def recur_backward(w, own, start, stop):
    """From the gradient of the states of some nodes that of what their gates took in; the states before gain theirs."""
    size, a, before = w.before.shape[1], w.a[start:stop], w.before[start:stop]
    dh, dreset = w.dh[start + 1 : stop + 1], own.dreset[: stop - start]
    gru.state_backward(a, dh, before)
    matmul(dreset, a[:, 2 * size :], own.Whh_transposed)
    gru.gates_backward(a, dh, dreset, before)
    add_rows(w.dh, w.tree.parents[start:stop], dh)
    add_rows(w.onward, w.tree.parents[start:stop], a[:, : 2 * size])


@entry_point
def _steps(u, p, d, work, text, starts, rates, losses, dropping):
    w, own, n_hidden = work
    size = p.Whh.shape[0]
    for step in range(rates.size):
        levels, n_levels = w.tree.levels, grow(w.tree, text, starts[step])
        n, rows = levels[n_levels], levels[n_levels - 1] + 1
        targets = text[starts[step, 0] : starts[step, -1]]

        inputs_forward(w, p, n)
        copy(w.h[0], p.h0)
        matmul(w.onward[:1], w.h[:1], p.Whzr)
        for level in range(n_levels):
            recur(w, own, p, levels[level], levels[level + 1])
            now = slice(levels[level] + 1, min(levels[level + 1] + 1, rows))
            matmul(w.onward[now], w.h[now], p.Whzr)
        losses[step] = scores(w, d, p, n, targets, n_hidden, dropping, step)

        transpose(own.Whzr_transposed, p.Whzr)
        transpose(own.Whh_transposed, p.Whh)
        donward = w.onward
        clear_rows(donward[:rows])
        for level in range(n_levels - 1, -1, -1):
            now = slice(levels[level] + 1, min(levels[level + 1] + 1, rows))
            add_product(w.dh[now], donward[now], own.Whzr_transposed, _ONE)
            recur_backward(w, own, levels[level], levels[level + 1])
        add_product(w.dh[:1], donward[:1], own.Whzr_transposed, _ONE)
        copy(d.h0, w.dh[0])
        matmul(d.Whzr, w.h[:rows].T, donward[:rows])
        matmul(d.Whh, own.reset[:n].T, w.a[:n, 2 * size :])
        inputs_backward(w, d, p, n)
        take_update(u, rates[step], step)


@entry_point
def _read(p, work, n):
    w, own, _ = work
    inputs_forward(w, p, n)
    copy(w.h[0], p.h0)
    matmul(w.onward[:1], w.h[:1], p.Whzr)
    recur(w, own, p, 0, n)
    matmul(w.onward[: n + 1], w.h[: n + 1], p.Whzr)
    log_probabilities_of(w, p, n)
