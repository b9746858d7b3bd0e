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
        return work_for(network, n_targets, dropping), own, network.n_hidden

    return CompiledLines(
        Layout(network.shapes, {"Wxh": 4, "bh": 4, "Whh": 4}, ["bh", "h0", "c0", "by"]),
        "by", Parameters, work, _steps, _read, 4 * hidden * hidden, network.vocab_size, network.beta1,
    )  # fmt: skip


@composed
def recur(w, own, p, start, stop):
    """The states and memories of the nodes of a depth."""
    a, before, c_before = w.a[start:stop], w.before[start:stop], own.c_before[start:stop]
    enter(w, start, stop)
    take_rows(c_before, own.c, w.tree.parents[start:stop])
    add_product(a, before, p.Whh, _ONE)
    h, c = w.h[start + 1 : stop + 1], own.c[start + 1 : stop + 1]
    lstm.state_forward(h, c, own.tanh_c[start:stop], a, c_before)


@composed
def recur_backward(w, own, start, stop):
    """From the gradients of the states of a depth that of what the gates took in; those before gain theirs."""
    a, dh, dc = w.a[start:stop], w.dh[start + 1 : stop + 1], own.dc[start + 1 : stop + 1]
    lstm.state_backward(a, dc, dh, own.tanh_c[start:stop], own.c_before[start:stop])
    matmul(dh, a, own.Whh_transposed)
    add_rows(w.dh, w.tree.parents[start:stop], dh)
    add_rows(own.dc, w.tree.parents[start:stop], dc)


@entry_point
def _steps(u, p, d, work, text, starts, rates, losses, dropping):
    w, own, n_hidden = work
    for step in range(rates.size):
        n, depth = grow(w.tree, text, starts[step])
        targets = text[starts[step, 0] : starts[step, -1]]

        inputs_forward(w, p, n)
        copy(w.h[0], p.h0)
        copy(own.c[0], p.c0)
        for level in range(depth):
            recur(w, own, p, w.tree.levels[level], w.tree.levels[level + 1])
        losses[step] = scores(w, d, p, n, targets, n_hidden, dropping, step)

        transpose(own.Whh_transposed, p.Whh)
        clear_rows(own.dc[: n + 1])
        for level in range(depth - 1, -1, -1):
            recur_backward(w, own, w.tree.levels[level], w.tree.levels[level + 1])
        copy(d.h0, w.dh[0])
        copy(d.c0, own.dc[0])
        matmul(d.Whh, w.before[:n].T, w.a[:n])
        inputs_backward(w, d, p, n)
        take_update(u, rates[step], step)


@entry_point
def _read(p, work, n):
    w, own, _ = work
    inputs_forward(w, p, n)
    copy(w.h[0], p.h0)
    copy(own.c[0], p.c0)
    recur(w, own, p, 0, n)
    log_probabilities_of(w, p, n)
