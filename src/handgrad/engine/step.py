"""One training step: the forward and backward of `handgrad.models.mlp`, operation by operation."""

from typing import NamedTuple

import numpy as np

from handgrad.engine.compiling import composed
from handgrad.engine.layout import Sizes
from handgrad.engine.matmul import NARROW, aligned_zeros, padded, transpose
from handgrad.engine.operations import (
    batchnorm_backward,
    batchnorm_forward,
    bias_backward,
    bias_forward,
    cross_entropy_backward,
    cross_entropy_forward,
    embedding_backward,
    embedding_forward,
    linear_backward,
    linear_forward,
    number_letters,
    places_backward,
    places_forward,
    tanh_backward,
    tanh_forward,
)


class Work(NamedTuple):
    """Arrays for what lies between the operations, by the lecture's names where it has one."""

    row_of: np.ndarray
    letters: np.ndarray
    starts: np.ndarray
    rows: np.ndarray
    emb: np.ndarray
    contributions: np.ndarray
    hprebn: np.ndarray
    bnmeani: np.ndarray
    bnvar_inv: np.ndarray
    batchnorm: np.ndarray
    h: np.ndarray
    logits: np.ndarray
    logit_maxes: np.ndarray
    counts_sum: np.ndarray
    dh: np.ndarray
    dcontributions: np.ndarray
    demb: np.ndarray
    W1_transposed: np.ndarray
    W2_transposed: np.ndarray


def work_for(n_examples: int, sizes: Sizes) -> Work:
    """The arrays for minibatches of `n_examples`; columns that only pad are 0 and stay it."""
    vocab, inputs, hidden = sizes.vocab_padded, sizes.inputs_padded, sizes.hidden_padded
    n_rows = sizes.block_size * min(n_examples, sizes.vocab_size)
    return Work(
        row_of=np.empty(sizes.vocab_size, np.int32),
        letters=np.empty(n_rows, np.int32),
        starts=np.empty(sizes.block_size + 1, np.int64),
        rows=np.empty((n_examples, sizes.block_size), np.int32),
        emb=aligned_zeros(n_rows, sizes.n_embd),
        contributions=aligned_zeros(n_rows, hidden),
        hprebn=aligned_zeros(n_examples, hidden),
        bnmeani=aligned_zeros(hidden),
        bnvar_inv=aligned_zeros(hidden),
        batchnorm=aligned_zeros(3, hidden),
        h=aligned_zeros(n_examples, hidden),
        logits=aligned_zeros(n_examples, vocab),
        logit_maxes=aligned_zeros(n_examples),
        counts_sum=aligned_zeros(n_examples),
        dh=aligned_zeros(n_examples, hidden),
        dcontributions=aligned_zeros(n_rows, hidden),
        demb=aligned_zeros(n_rows, padded(sizes.n_embd)),
        W1_transposed=aligned_zeros(hidden, inputs + NARROW),
        W2_transposed=aligned_zeros(vocab, hidden),
    )


@composed
def hidden_preactivation(w, p, contexts, sizes):
    """`hprebn` of the contexts, and on the way what the backward needs."""
    n = contexts.shape[0]
    number_letters(w.rows[:n], w.letters, w.starts, w.row_of, contexts)
    embedding_forward(w.emb[: w.starts[-1]], p.C, w.letters)
    for place in range(sizes.block_size):
        rows, inputs = _of_place(place, w.starts, sizes.n_embd)
        linear_forward(w.contributions[rows], w.emb[rows], p.W1[inputs])
    places_forward(w.hprebn[:n], w.contributions, w.rows[:n], p.b1)


@composed
def gradients(d, p, w, contexts, targets, sizes):
    """The loss of a minibatch; its gradients go into `d`.

    Args:
        d: receives the gradients of the parameters `p`.
        p: the parameters.
        w: from `work_for`.
        contexts: (N, block_size) int32.
        targets: (N,) int32.
        sizes: of the model.

    Source: lecture, exercise 4.
    """
    hidden_preactivation(w, p, contexts, sizes)
    batchnorm_forward(w.h, w.hprebn, w.bnmeani, w.bnvar_inv, p.bngain, p.bnbias)
    tanh_forward(w.h)
    linear_forward(w.logits, w.h, p.W2)
    bias_forward(w.logits, p.b2)
    loss = cross_entropy_forward(w.logits, targets, w.logit_maxes, w.counts_sum)

    dlogits = w.logits
    cross_entropy_backward(dlogits, targets)
    bias_backward(d.b2, dlogits)
    transpose(w.W2_transposed, p.W2)
    linear_backward(w.dh, d.W2, dlogits, w.h, w.W2_transposed[: sizes.vocab_size])
    tanh_backward(w.dh, w.h)
    batchnorm_backward(w.dh, d.bngain, d.bnbias, w.hprebn, w.bnvar_inv, p.bngain, w.batchnorm)
    bias_backward(d.b1, w.dh)
    places_backward(w.dcontributions[: w.starts[-1]], w.dh, w.rows)
    transpose(w.W1_transposed, p.W1)
    for place in range(sizes.block_size):
        rows, inputs = _of_place(place, w.starts, sizes.n_embd)
        W1_transposed = w.W1_transposed[: sizes.n_hidden, inputs]
        linear_backward(w.demb[rows], d.W1[inputs], w.dcontributions[rows], w.emb[rows], W1_transposed)
    embedding_backward(d.C, w.demb[: w.starts[-1]], w.letters)
    return loss


@composed
def _of_place(place, starts, n_embd):
    """The letters in use at a place, and the rows of `W1` that belong to it."""
    return slice(starts[place], starts[place + 1]), slice(place * n_embd, (place + 1) * n_embd)
