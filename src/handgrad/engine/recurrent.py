"""What the recurrent families share on the tape: all but the recurrence itself."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from handgrad.engine.flat import Layout, rows_apart
from handgrad.engine.kernels.letters import number_letters
from handgrad.engine.kernels.products import add_product, bias_forward, copy, matmul, matmul_transposed, transpose
from handgrad.engine.kernels.rows import add_rows, add_taken_rows, clear_rows, sum_rows, take_rows
from handgrad.engine.lines import (
    FIRST_LETTER,
    GOING_ON,
    LETTERS,
    LEVEL,
    N_LETTERS,
    NODES,
    ROWS,
    CompiledLines,
    Passes,
    Reading,
    Work,
)
from handgrad.engine.scoring import Layer, log_probabilities, scores
from handgrad.engine.tape import Buffer, Operation
from handgrad.engine.vectors import padded
from handgrad.models.recurrent import Recurrent


class Arrays:
    """Arrays for what lies between the operations.

    Rows are nodes of the tree. `a` is what the letters of some nodes and the states before them contribute, then what
    becomes of it in the recurrence, and its gradient in the end. What a state contributes to those that follow it is
    made once, in `onward`, which has its gradient, `donward`, in the end. States and their gradients, `h` and `dh`, and
    `onward` have a row more, the first, for what lines begin with.

    Args:
        network: the sizes.
        work: of the tapes.
        onward: how many numbers a state contributes to those that follow it.
    """

    def __init__(self, network: Recurrent, work: Work, onward: int):  # noqa: D107
        self.hidden = padded(network.n_hidden)
        self.a = work.rows(network.gates * self.hidden)
        self.onward = self.donward = work.rows(onward, more=1)
        self.h, self.dh = work.rows(self.hidden, more=1), work.rows(self.hidden, more=1)


class Recurrence(NamedTuple):
    """What a family adds.

    Args:
        weight: the matrix that makes of a state what it contributes to those that follow it.
        dweight: its gradient.
        level: from `a` and the states before to the states, `h`, of a level.
        back: from `dh` of a level to the gradient of `a`; what is before gains its own.
        begin: at first: what lines begin with, beside the state.
        turn: what the way back begins with.
        end: gradients of other parameters.
    """

    weight: np.ndarray
    dweight: np.ndarray
    level: list[Operation]
    back: list[Operation]
    begin: list[Operation] = []  # noqa: RUF012
    turn: list[Operation] = []  # noqa: RUF012
    end: list[Operation] = []  # noqa: RUF012


class Both(NamedTuple):
    """What a network does in training, and in use."""

    training: Passes
    reading: Reading


def compiled_recurrent(
    network: Recurrent,
    layout: Layout,
    both: Callable[[SimpleNamespace, SimpleNamespace, Work], Both],
    products: int,
) -> CompiledLines:
    """The compiled form of a network; see `CompiledLines`."""
    return CompiledLines(
        layout, "by", lambda p, d, work: both(p, d, work).training, lambda p, work: both(p, p, work).reading, products,
        network.vocab_size, network.beta1,
    )  # fmt: skip


def both_of(
    network: Recurrent, p: SimpleNamespace, d: SimpleNamespace, work: Work, w: Arrays, recurrence: Recurrence
) -> Both:
    """What a network with such a recurrence does with a minibatch, and with a token.

    Args:
        network: the sizes.
        p: parameters, views by name.
        d: their gradients.
        work: of the tapes.
        w: arrays that the recurrence works on.
        recurrence: of the family.
    """
    states, letters = Buffer(w.h.array[1:]), _Letters(network, p, d, work)
    layer = Layer(p.Why, p.by, d.Why, d.by)
    transposed = rows_apart(recurrence.weight.shape[1], w.hidden)
    begin = [
        *letters.forward,
        copy(w.h.array[0], p.h0),
        matmul(w.onward[:1], w.h[:1], recurrence.weight),
        *recurrence.begin,
    ]
    level = [
        take_rows(w.a[LEVEL], letters.table, letters.rows_flat[LEVEL]),
        add_taken_rows(w.a[LEVEL], w.onward, work.parents[LEVEL]),
        *recurrence.level,
        matmul(w.onward[GOING_ON], w.h[GOING_ON], recurrence.weight),
    ]
    turn = [
        *scores(work, layer, states, Buffer(w.dh.array[1:]), network.n_hidden, dropped="h"),
        clear_rows(w.dh[:1]),
        transpose(transposed, recurrence.weight),
        clear_rows(w.donward[ROWS]),
        *recurrence.turn,
    ]
    back = [add_product(w.dh[GOING_ON], w.donward[GOING_ON], transposed), *recurrence.back]
    end = [
        add_product(w.dh[:1], w.donward[:1], transposed),
        copy(d.h0, w.dh.array[0]),
        matmul_transposed(recurrence.dweight, w.h[ROWS], w.donward[ROWS]),
        *recurrence.end,
        *letters.backward(w.a),
    ]
    scored = log_probabilities(work, p.Why, p.by, states[NODES])
    reading = scored._replace(operations=[*begin, *level, *scored.operations])
    return Both(Passes(begin, level, turn, back, end), reading)


class _Letters:
    """What each letter contributes to a state, made once for each letter in use: `table = C[letters] @ Wxh + bh`."""

    def __init__(self, network: Recurrent, p: SimpleNamespace, d: SimpleNamespace, work: Work):
        n_letters, embd = min(work.n_targets, network.vocab_size), padded(network.n_embd)
        gates = network.gates * padded(network.n_hidden)
        self._p, self._d = p, d
        self._letters = Buffer(np.zeros(n_letters, np.int32))
        self._emb, self._demb = Buffer(rows_apart(n_letters, embd)), Buffer(rows_apart(n_letters, embd))
        self.table, self._dtable = Buffer(rows_apart(n_letters, gates)), Buffer(rows_apart(n_letters, gates))
        self._transposed = rows_apart(gates, embd)
        rows, row_of = np.zeros((work.n_targets, 1), np.int32), np.zeros(network.vocab_size, np.int32)
        self.rows_flat = Buffer(rows[:, 0])
        starts = work.registers[FIRST_LETTER : N_LETTERS + 1]
        self.forward = [
            number_letters(
                Buffer(rows)[NODES], self._letters, starts, row_of, Buffer(work.tokens.array[:, None])[NODES]
            ),
            take_rows(self._emb[LETTERS], p.C, self._letters),
            matmul(self.table[LETTERS], self._emb[LETTERS], p.Wxh),
            bias_forward(self.table[LETTERS], p.bh),
        ]

    def backward(self, da: Buffer) -> list[Operation]:
        """Gradients of `C`, `Wxh` and `bh`."""
        p, d = self._p, self._d
        return [
            clear_rows(self._dtable[LETTERS]),
            add_rows(self._dtable, self.rows_flat[NODES], da[NODES]),
            sum_rows(d.bh, self._dtable[LETTERS]),
            matmul_transposed(d.Wxh, self._emb[LETTERS], self._dtable[LETTERS]),
            transpose(self._transposed, p.Wxh),
            matmul(self._demb[LETTERS], self._dtable[LETTERS], self._transposed),
            clear_rows(d.C),
            add_rows(d.C, self._letters[LETTERS], self._demb[LETTERS]),
        ]
