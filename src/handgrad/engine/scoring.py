"""From rows, one for each node of the tree, to the scores of what follows, to the loss, and back."""

from typing import NamedTuple

import numpy as np

from handgrad.engine.flat import rows_apart
from handgrad.engine.kernels.cross_entropy import cross_entropy, log_softmax
from handgrad.engine.kernels.dropout import AT_ONCE, draw_mask, dropout
from handgrad.engine.kernels.products import bias_forward, matmul, matmul_transposed, transpose
from handgrad.engine.kernels.rows import add_rows, clear_rows, sum_rows, take_rows
from handgrad.engine.stepping import LEVEL, NODES, STEP, TARGETS, Room
from handgrad.engine.tape import Buffer, Extent, Operation, Register
from handgrad.engine.vectors import aligned_zeros, padded


class Layer(NamedTuple):
    """A linear layer that ends in the scores, and the gradients of its parameters."""

    weight: np.ndarray
    bias: np.ndarray
    dweight: np.ndarray
    dbias: np.ndarray


class Scores(NamedTuple):
    """What is done with the rows.

    Args:
        training: the loss; the gradients of the parameters, and of the rows.
        reading: the log-probabilities of what follows each node that is read.
        log_probabilities: where that leaves them, a row for each node.
    """

    training: list[Operation]
    reading: list[Operation]
    log_probabilities: np.ndarray


def scores(work: Room, layer: Layer, rows: Buffer, drows: Buffer, n_columns: int, read: Extent = LEVEL) -> Scores:
    """The operations of the scores, and of dropout of the rows where there is any.

    With dropout scores are made for each target on its own, since each has its own mask.

    Args:
        work: of the tapes.
        layer: that ends in the scores.
        rows: one for each node.
        drows: receives their gradients.
        n_columns: of the rows, those that pad left out.
        read: the nodes of which log-probabilities are wanted.
    """
    vocab, n_targets = layer.bias.size, work.n_targets
    logits = work.rows(vocab)
    transposed = rows_apart(vocab, padded(n_columns))
    reading = [
        matmul(logits[read], rows[read], layer.weight),
        bias_forward(logits[read], layer.bias),
        log_softmax(logits[read]),
    ]
    each, seen, dseen, counts, places = NODES, rows, drows, work.counts, work.places
    forth, back = [], []
    if work.dropping.share:
        share, seed, place, first = work.dropping
        seen, dseen = work.rows(padded(n_columns)), work.rows(padded(n_columns))
        more = -(-(padded(n_columns) + AT_ONCE) // n_columns)
        mask = Buffer(aligned_zeros(n_targets + more, n_columns))
        forth = [
            draw_mask(mask[TARGETS], float(share), seed, Register(STEP, first), place),
            take_rows(seen[TARGETS], rows[NODES], work.places[TARGETS]),
            dropout(seen[TARGETS], seen[TARGETS], mask),
        ]
        back = [
            clear_rows(drows[NODES]),
            dropout(dseen[TARGETS], dseen[TARGETS], mask),
            add_rows(drows[NODES], work.places[TARGETS], dseen[TARGETS]),
        ]
        each, counts = TARGETS, Buffer(np.ones(n_targets, np.float32))
        places = Buffer(np.arange(n_targets, dtype=np.int32))
    training = [
        *forth,
        matmul(logits[each], seen[each], layer.weight),
        bias_forward(logits[each], layer.bias),
        cross_entropy(work.loss, logits[each], counts[each], places[TARGETS], work.targets[TARGETS]),
        sum_rows(layer.dbias, logits[each]),
        matmul_transposed(layer.dweight, seen[each], logits[each]),
        transpose(transposed, layer.weight),
        matmul(dseen[each], logits[each], transposed),
        *back,
    ]
    return Scores(training, reading, logits.array)
