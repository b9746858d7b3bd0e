"""The compiled form of the bag of words.

All but tanh is linear. So the layers `W1` and `Wy` are applied to each letter and to each place, not to each node, and
sums are carried along the tree behind them. `W2` and `Wy` in turn are one layer, of their product.
"""

from types import SimpleNamespace

import numpy as np

from handgrad.engine.flat import Layout, rows_apart
from handgrad.engine.kernels import rnn
from handgrad.engine.kernels.causal_mean import add_causal_mean, add_causal_mean_backward
from handgrad.engine.kernels.cross_entropy import cross_entropy, log_softmax
from handgrad.engine.kernels.letters import number_letters
from handgrad.engine.kernels.products import (
    add_product,
    add_product_transposed,
    bias_forward,
    matmul,
    matmul_transposed,
    transpose,
)
from handgrad.engine.kernels.rows import add_rows, add_taken_rows, clear_rows, sum_rows, take_rows
from handgrad.engine.lines import (
    FIRST_LETTER,
    LETTERS,
    N_LETTERS,
    N_LEVELS,
    NODES,
    TARGETS,
    ZERO,
    CompiledLines,
    Passes,
    Reading,
    Work,
)
from handgrad.engine.tape import Argument, Buffer, Extent
from handgrad.models.bow import BoW

PLACES = Extent(ZERO, N_LEVELS)
"""In use: a line is as deep as the tree has levels."""


def compiled_lines(network: BoW) -> CompiledLines:
    """The compiled form of a model of these sizes."""

    def passes(p: SimpleNamespace, d: SimpleNamespace, work: Work) -> Passes:
        w = _Arrays(p, work, Buffer(p.P)[PLACES], PLACES)
        total, parents, depths = w.total[NODES.shifted(1)], work.parents[NODES], work.depths[NODES]
        forward = [
            *w.tables,
            clear_rows(w.total[:1]),
            add_causal_mean(w.both[NODES], total, w.total, parents, depths),
            *w.scores,
        ]
        transposed, demb = rows_apart(w.of_letters.array.shape[1], p.C.shape[1]), Buffer(np.zeros_like(w.emb.array))
        product_transposed, dproduct = rows_apart(*w.product.T.shape), rows_apart(*w.product.shape)
        size = w.size
        backward = [
            cross_entropy(work.loss, w.logits, work.counts[NODES], work.places[TARGETS], work.targets[TARGETS]),
            sum_rows(d.by, w.logits),
            matmul_transposed(dproduct, w.h[NODES], w.logits),
            transpose(product_transposed, w.product),
            matmul(w.dh[NODES], w.logits, product_transposed),
            rnn.state_backward(w.hpreact, w.dh[NODES], w.h[NODES]),
            sum_rows(d.b1, w.hpreact),
            add_causal_mean_backward(w.both[NODES], w.total, parents, depths),
            clear_rows(w.of_letters[LETTERS]),
            clear_rows(w.of_places[PLACES]),
            add_rows(w.of_letters, w.rows[NODES], w.both[NODES]),
            add_rows(w.of_places, depths, w.both[NODES]),
            *(
                operation
                for dweight, columns in ((d.W1, slice(size)), (d.Wy, slice(size, None)))
                for operation in (
                    matmul_transposed(dweight, w.emb[LETTERS], w.of_letters[LETTERS, columns]),
                    add_product_transposed(dweight, Buffer(p.P)[PLACES], w.of_places[PLACES, columns]),
                )
            ),
            add_product_transposed(d.Wy, p.W2, dproduct),
            add_product_transposed(d.Wy, p.b2[None], d.by[None]),
            transpose(transposed[:size], p.W1),
            transpose(transposed[size:], p.Wy),
            matmul(d.W2, dproduct, transposed[size:]),
            matmul(d.b2[None], d.by[None], transposed[size:]),
            clear_rows(d.P),
            matmul(Buffer(d.P)[PLACES], w.of_places[PLACES], transposed),
            matmul(demb[LETTERS], w.of_letters[LETTERS], transposed),
            clear_rows(d.C),
            add_rows(d.C, w.letters[LETTERS], demb[LETTERS]),
        ]
        return Passes(forward, [], backward, [], [])

    def reading(p: SimpleNamespace, work: Work) -> Reading:
        w = _Arrays(p, work, Argument(p.P), None)
        before, each = work.rows(w.total.array.shape[1]), Buffer(np.arange(work.n_targets, dtype=np.int32))
        operations = [
            *w.tables,
            take_rows(before[NODES], w.total, work.parents[NODES]),
            add_causal_mean(w.both[NODES], w.total[NODES.shifted(1)], before[NODES], each[NODES], work.depths[NODES]),
            *w.scores,
            log_softmax(w.logits),
        ]
        return Reading(operations, w.both.array[:, w.size :])

    layout = Layout(network.shapes, {}, ["b1", "b2", "by"])
    products = network.n_embd * network.n_hidden * 2 + network.n_embd * network.vocab_size
    return CompiledLines(layout, "by", passes, reading, products, network.vocab_size, network.beta1, network.longest)


class _Arrays:
    """Arrays for what lies between the operations, and how they are made.

    `both` has of each node, side by side, what the hidden layer takes in and the scores; `of_letters` and `of_places`
    what a letter and a place contribute to them, and their gradients in the end.

    Args:
        p: parameters by name.
        work: of the tapes.
        places: the embeddings of the places in use.
        extent: of them; None for all.
    """

    def __init__(self, p: SimpleNamespace, work: Work, places: Argument, extent: Extent | None):
        self.size, n_scores = p.W1.shape[1], p.Wy.shape[1]
        n_letters, width = min(work.n_targets, len(p.C)), self.size + n_scores
        self.both, self.total = work.rows(width), work.rows(width, more=1)
        self.hpreact, self.logits = self.both[NODES, : self.size], self.both[NODES, self.size :]
        self.h, self.dh = work.rows(self.size), work.rows(self.size)
        self.emb, self.letters = Buffer(rows_apart(n_letters, p.C.shape[1])), Buffer(np.zeros(n_letters, np.int32))
        self.of_letters, self.of_places = Buffer(rows_apart(n_letters, width)), Buffer(rows_apart(len(p.P), width))
        self.product, bias = rows_apart(self.size, n_scores), np.zeros(n_scores, np.float32)
        rows, row_of = np.zeros((work.n_targets, 1), np.int32), np.zeros(len(p.C), np.int32)
        self.rows = Buffer(rows[:, 0])
        tokens, starts = Buffer(work.tokens.array[:, None])[NODES], work.registers[FIRST_LETTER : N_LETTERS + 1]
        self.tables = [
            number_letters(Buffer(rows)[NODES], self.letters, starts, row_of, tokens),
            take_rows(self.emb[LETTERS], p.C, self.letters[LETTERS]),
            *(
                operation
                for weight, columns in ((p.W1, slice(self.size)), (p.Wy, slice(self.size, None)))
                for operation in (
                    matmul(self.of_letters[LETTERS, columns], self.emb[LETTERS], weight),
                    matmul(Argument(self.of_places.array[:, columns], extent), places, weight),
                )
            ),
            take_rows(self.both[NODES], self.of_letters, self.rows[NODES]),
            add_taken_rows(self.both[NODES], self.of_places, work.depths[NODES]),
        ]
        self.scores = [
            bias_forward(self.hpreact, p.b1),
            rnn.state_forward(self.h[NODES], self.hpreact),
            matmul(self.product, p.W2, p.Wy),
            matmul(bias[None], p.b2[None], p.Wy),
            bias_forward(bias[None], p.by),
            add_product(self.logits, self.h[NODES], self.product),
            bias_forward(self.logits, bias),
        ]
