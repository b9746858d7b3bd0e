"""One training step: the forward and backward of `handgrad.models.mlp`, operation by operation."""

from typing import NamedTuple

import numpy as np

from handgrad.engine.compiling import composed
from handgrad.engine.layout import Sizes
from handgrad.engine.matmul import transpose
from handgrad.engine.operations import (
    batchnorm_tanh_backward,
    batchnorm_tanh_forward,
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
)
from handgrad.engine.vectors import NARROW, aligned_rows, aligned_zeros, padded


class Work(NamedTuple):
    """Arrays for what lies between the operations, by the lecture's names where it has one.

    `by_letter` is for batches in which letters recur. What a letter contributes to `hprebn` at a place of the context
    is the product of its embedding with that place's rows of `W1`, so that product is made once for each letter in use
    at the place, and looked up for each example. Then `rows` has the number of each such letter, `letters` the letter
    of each number, and `starts` the first number of each place.
    """

    by_letter: bool
    row_of: np.ndarray
    letters: np.ndarray
    starts: np.ndarray
    rows: np.ndarray
    contributions: np.ndarray
    dcontributions: np.ndarray
    emb: np.ndarray
    hprebn: np.ndarray
    bnmeani: np.ndarray
    bnvar_inv: np.ndarray
    h: np.ndarray
    logits: np.ndarray
    logit_maxes: np.ndarray
    counts_sum: np.ndarray
    dh: np.ndarray
    demb: np.ndarray
    W1_transposed: np.ndarray
    W2_transposed: np.ndarray


def work_for(n_examples: int, sizes: Sizes, by_letter: bool) -> Work:
    """The arrays for minibatches of `n_examples`; columns that only pad are 0 and stay it."""
    vocab, inputs, hidden = sizes.vocab_padded, sizes.inputs_padded, sizes.hidden_padded
    n_rows = sizes.block_size * min(n_examples, sizes.vocab_size) if by_letter else 0
    return Work(
        by_letter=by_letter,
        row_of=np.empty(sizes.vocab_size, np.int32),
        letters=np.empty(n_rows, np.int32),
        starts=np.empty(sizes.block_size + 1, np.int64),
        rows=np.empty((n_examples, sizes.block_size), np.int32),
        contributions=aligned_zeros(n_rows, hidden),
        dcontributions=aligned_zeros(n_rows, hidden),
        emb=aligned_zeros(n_rows if by_letter else n_examples * sizes.block_size, sizes.n_embd),
        hprebn=aligned_rows(n_examples, hidden),
        bnmeani=aligned_zeros(hidden),
        bnvar_inv=aligned_zeros(hidden),
        h=aligned_rows(n_examples, hidden),
        logits=aligned_zeros(n_examples, vocab),
        logit_maxes=aligned_zeros(n_examples),
        counts_sum=aligned_zeros(n_examples),
        dh=aligned_rows(n_examples, hidden),
        demb=aligned_zeros(n_rows, padded(sizes.n_embd)) if by_letter else aligned_zeros(n_examples, inputs),
        W1_transposed=aligned_zeros(hidden, inputs + NARROW),
        W2_transposed=aligned_zeros(vocab, hidden),
    )


@composed
def hidden_preactivation(w, p, contexts, sizes):
    """`hprebn` of the contexts without the bias `b1`, and on the way what the backward needs."""
    n = contexts.shape[0]
    if w.by_letter:
        number_letters(w.rows[:n], w.letters, w.starts, w.row_of, contexts)
        embedding_forward(w.emb[: w.starts[-1]], p.C, w.letters)
        for place in range(sizes.block_size):
            rows, inputs = _of_place(place, w.starts, sizes.n_embd)
            linear_forward(w.contributions[rows], w.emb[rows], p.W1[inputs])
        places_forward(w.hprebn[:n], w.contributions, w.rows[:n])
    else:
        embedding_forward(w.emb[: n * sizes.block_size], p.C, contexts.reshape(contexts.size))
        linear_forward(w.hprebn[:n], _embcat(w.emb, sizes), p.W1)


@composed
def hidden_preactivation_backward(d, factor, p, w, contexts, sizes):
    """Gradients of `C` and `W1` from that of `hprebn`, which is in `w.dh`."""
    transpose(w.W1_transposed, p.W1)
    W1_transposed = w.W1_transposed[: sizes.n_hidden]
    if w.by_letter:
        places_backward(w.dcontributions[: w.starts[-1]], w.dh, w.rows)
        for place in range(sizes.block_size):
            rows, inputs = _of_place(place, w.starts, sizes.n_embd)
            dcontributions, emb = w.dcontributions[rows], w.emb[rows]
            linear_backward(w.demb[rows], d.W1[inputs], dcontributions, emb, W1_transposed[:, inputs], factor)
        embedding_backward(d.C, w.demb, w.letters[: w.starts[-1]], 0, factor)
    else:
        linear_backward(w.demb, d.W1, w.dh, _embcat(w.emb, sizes), W1_transposed, factor)
        for place in range(sizes.block_size):
            embedding_backward(d.C, w.demb, contexts[:, place], place * sizes.n_embd, factor)


@composed
def add_gradients(d, factor, p, w, contexts, targets, sizes):
    """The loss of a minibatch; `factor` times its gradients is added to `d`.

    Where `d` is `p` itself, and the factor minus the learning rate, that is a step of gradient descent: nothing of a
    parameter is read after its gradient is added.

    What `b1` adds to `hprebn` the batch's mean takes away again. So it is not added, and its gradient is left 0, which
    it is but for rounding in `handgrad.models.mlp`.

    Args:
        d: like `p`.
        factor: float32.
        p: the parameters.
        w: from `work_for`.
        contexts: (N, block_size) int32.
        targets: (N,) int32.
        sizes: of the model.

    Source: lecture, exercise 4.
    """
    hidden_preactivation(w, p, contexts, sizes)
    batchnorm_tanh_forward(w.h, w.hprebn, w.bnmeani, w.bnvar_inv, p.bngain, p.bnbias)
    linear_forward(w.logits, w.h, p.W2)
    bias_forward(w.logits, p.b2)
    loss = cross_entropy_forward(w.logits, targets, w.logit_maxes, w.counts_sum)

    dlogits = w.logits
    cross_entropy_backward(dlogits, targets)
    bias_backward(d.b2, dlogits, factor)
    transpose(w.W2_transposed, p.W2)
    linear_backward(w.dh, d.W2, dlogits, w.h, w.W2_transposed[: sizes.vocab_size], factor)
    batchnorm_tanh_backward(w.dh, d.bngain, d.bnbias, w.h, w.hprebn, w.bnvar_inv, p.bngain, factor)
    hidden_preactivation_backward(d, factor, p, w, contexts, sizes)
    return loss


@composed
def _embcat(emb, sizes):
    """The embeddings of a context in one row: `emb.view(emb.shape[0], -1)`."""
    return emb.reshape((-1, sizes.block_size * sizes.n_embd))


@composed
def _of_place(place, starts, n_embd):
    """The letters in use at a place, and the rows of `W1` that belong to it."""
    return slice(starts[place], starts[place + 1]), slice(place * n_embd, (place + 1) * n_embd)
