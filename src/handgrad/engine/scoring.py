"""From rows, one for each node of the tree, to the scores of what follows, to the loss, and back."""

from typing import NamedTuple

import numpy as np

from handgrad.engine.flat import NEVER, rows_apart
from handgrad.engine.kernels.cross_entropy import cross_entropy, log_softmax
from handgrad.engine.kernels.dropout import draw_mask, dropout
from handgrad.engine.kernels.products import bias_forward, matmul, matmul_transposed, transpose
from handgrad.engine.kernels.rows import add_rows, clear_rows, sum_rows, take_rows
from handgrad.engine.registers import NODES, STEP, TARGETS
from handgrad.engine.stepping import Reading, Room
from handgrad.engine.tape import Argument, Buffer, Operation, Register
from handgrad.engine.vectors import aligned_zeros, padded
from handgrad.models.dropping import place_of


class Mask:
    """A dropout mask that is drawn anew in each step.

    Args:
        work: of the tapes.
        name: of the mask.
        n_columns: of the mask.
        numbers: of the rows that are needed.
    """

    def __init__(self, work: Room, name: str, n_columns: int, numbers: Argument):  # noqa: D107
        share, seed, first = work.dropping
        self.rows = work.rows(padded(n_columns))
        self.draw = draw_mask(self.rows, numbers, n_columns, float(share), seed, Register(STEP, first), place_of(name))


class Layer(NamedTuple):
    """A linear layer that ends in the scores, and the gradients of its parameters.

    Where its bias is not trained, `without_bias`, there is none but for columns that pad.
    """

    weight: np.ndarray
    bias: np.ndarray
    dweight: np.ndarray
    dbias: np.ndarray | None


def without_bias(vocab_size: int) -> np.ndarray:
    """The bias of letters that only pad, as `handgrad.engine.flat.Layout.pack` has it, and 0 of all others."""
    bias = aligned_zeros(padded(vocab_size))
    bias[vocab_size:] = NEVER
    return bias


def log_probabilities(work: Room, weight: np.ndarray, bias: np.ndarray, rows: Argument) -> Reading:
    """What follows each node that is read.

    Args:
        work: of the tape.
        weight: of the layer that ends in the scores.
        bias: likewise.
        rows: one for each node.
    """
    logits = work.rows(bias.size)
    here = logits[NODES]
    return Reading([matmul(here, rows, weight), bias_forward(here, bias), log_softmax(here)], logits.array)


def scores(
    work: Room, layer: Layer, rows: Buffer, drows: Buffer, n_columns: int, dropped: str | None = None
) -> list[Operation]:
    """The scores, the loss; the gradients of the parameters, and of the rows; and dropout of the rows.

    With dropout scores are made for each target on its own, since each has its own mask.

    Args:
        work: of the tapes.
        layer: that ends in the scores.
        rows: one for each node.
        drows: receives their gradients.
        n_columns: of the rows, those that pad left out.
        dropped: the name of the mask; None where the rows are not dropped.
    """
    vocab, n_targets = layer.bias.size, work.n_targets
    logits, transposed = work.rows(vocab), rows_apart(vocab, padded(n_columns))
    each, seen, dseen, counts, places = NODES, rows, drows, work.counts, work.places
    forth, back = [], []
    if dropped and work.dropping.share:
        seen, dseen = work.rows(padded(n_columns)), work.rows(padded(n_columns))
        each, counts = TARGETS, Buffer(np.ones(n_targets, np.float32))
        places = Buffer(np.arange(n_targets, dtype=np.int32))
        mask = Mask(work, dropped, n_columns, places[TARGETS])
        forth = [
            mask.draw,
            take_rows(seen[TARGETS], rows[NODES], work.places[TARGETS]),
            dropout(seen[TARGETS], seen[TARGETS], mask.rows),
        ]
        back = [
            clear_rows(drows[NODES]),
            dropout(dseen[TARGETS], dseen[TARGETS], mask.rows),
            add_rows(drows[NODES], work.places[TARGETS], dseen[TARGETS]),
        ]
    return [
        *forth,
        matmul(logits[each], seen[each], layer.weight),
        bias_forward(logits[each], layer.bias),
        cross_entropy(work.loss, logits[each], counts[each], places[TARGETS], work.targets[TARGETS]),
        *([] if layer.dbias is None else [sum_rows(layer.dbias, logits[each])]),
        matmul_transposed(layer.dweight, seen[each], logits[each]),
        transpose(transposed, layer.weight),
        matmul(dseen[each], logits[each], transposed),
        *back,
    ]
