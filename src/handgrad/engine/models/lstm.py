"""The compiled form of the recurrent network with long short-term memory."""

from typing import NamedTuple

import numpy as np

from handgrad.engine.compiling import composed, entry_point
from handgrad.engine.flat import Layout, rows_apart
from handgrad.engine.kernels import lstm
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
from handgrad.models.lstm import LSTM

_ONE = np.float32(1)


class Parameters(NamedTuple):
    """Views of a flat vector, padded, by the names of `LSTM.shapes`."""

    C: np.ndarray
    Wxh: np.ndarray
    bh: np.ndarray
    Whh: np.ndarray
    h0: np.ndarray
    c0: np.ndarray
    Why: np.ndarray
    by: np.ndarray


class Own(NamedTuple):
    """Arrays of the recurrence: memories and their gradients, which have a row more, as the states have."""

    c: np.ndarray
    dc: np.ndarray
    c_before: np.ndarray
    tanh_c: np.ndarray
    Whh_transposed: np.ndarray


def compiled_lines(network: LSTM) -> CompiledLines:
    """The compiled form of a model of these sizes."""
    hidden = padded(network.n_hidden)

    def work(n_targets: int, dropping: bool) -> tuple[Work, Own, int]:
        c, dc, c_before, tanh_c = (rows_apart(n_targets + 1, hidden) for _ in range(4))
        own = Own(c, dc, c_before, tanh_c, Whh_transposed=rows_apart(4 * hidden, hidden))
        return work_for(network, n_targets, dropping, 4 * hidden), own, network.n_hidden

    return CompiledLines(
        Layout(network.shapes, {"Wxh": 4, "bh": 4, "Whh": 4}, ["bh", "h0", "c0", "by"]),
        "by", Parameters, work, _steps, _read, 4 * hidden * hidden, network.vocab_size, network.beta1,
    )  # fmt: skip


@composed
def recur(w, own, start, stop):
    """The states and memories of some nodes."""
    enter(w, start, stop)
    c_before, tanh_c = own.c_before[start:stop], own.tanh_c[start:stop]
    take_rows(c_before, own.c, w.tree.parents[start:stop])
    lstm.state_forward(w.h[start + 1 : stop + 1], own.c[start + 1 : stop + 1], tanh_c, w.a[start:stop], c_before)


@composed
def recur_backward(w, own, start, stop):
    """From the gradients of the states of some nodes that of what their gates took in; what is before gains its."""
    a, dh, dc = w.a[start:stop], w.dh[start + 1 : stop + 1], own.dc[start + 1 : stop + 1]
    lstm.state_backward(a, dc, dh, own.tanh_c[start:stop], own.c_before[start:stop])
    add_rows(own.dc, w.tree.parents[start:stop], dc)
    add_rows(w.onward, w.tree.parents[start:stop], a)


@entry_point
def _steps(u, p, d, work, text, starts, rates, losses, dropping):
    w, own, n_hidden = work
    for step in range(rates.size):
        levels, n_levels = w.tree.levels, grow(w.tree, text, starts[step])
        n, rows = levels[n_levels], levels[n_levels - 1] + 1
        targets = text[starts[step, 0] : starts[step, -1]]

        inputs_forward(w, p, n)
        copy(w.h[0], p.h0)
        copy(own.c[0], p.c0)
        matmul(w.onward[:1], w.h[:1], p.Whh)
        for level in range(n_levels):
            recur(w, own, levels[level], levels[level + 1])
            now = slice(levels[level] + 1, min(levels[level + 1] + 1, rows))
            matmul(w.onward[now], w.h[now], p.Whh)
        losses[step] = scores(w, d, p, n, targets, n_hidden, dropping, step)

        transpose(own.Whh_transposed, p.Whh)
        donward = w.onward
        clear_rows(donward[:rows])
        clear_rows(own.dc[: n + 1])
        for level in range(n_levels - 1, -1, -1):
            now = slice(levels[level] + 1, min(levels[level + 1] + 1, rows))
            add_product(w.dh[now], donward[now], own.Whh_transposed, _ONE)
            recur_backward(w, own, levels[level], levels[level + 1])
        matmul(w.dh[:1], donward[:1], own.Whh_transposed)
        copy(d.h0, w.dh[0])
        copy(d.c0, own.dc[0])
        matmul(d.Whh, w.h[:rows].T, donward[:rows])
        inputs_backward(w, d, p, n)
        take_update(u, rates[step], step)


@entry_point
def _read(p, work, n):
    w, own, _ = work
    inputs_forward(w, p, n)
    copy(w.h[0], p.h0)
    copy(own.c[0], p.c0)
    matmul(w.onward[:1], w.h[:1], p.Whh)
    recur(w, own, 0, n)
    matmul(w.onward[: n + 1], w.h[: n + 1], p.Whh)
    log_probabilities_of(w, p, n)
