"""Attention of nodes of a tree to themselves and to those before them, as in `handgrad.ops.attention`.

Heads are interleaved: feature c of head h is column c · n_head + h. So the sum over a head's features is one of whole
vectors, whose numbers are folded at last, and a vector holds what each head gives, again and again. So `n_head` is
a power of two, at most 8; see `handgrad.engine.gpt.Heads`.
"""

import numpy as np

from handgrad.engine.elementary import exp
from handgrad.engine.tape import IndexRows, Indices, Integer, Number, Rows, Vector, kernel
from handgrad.engine.vectors import WIDE, fold, load, once, spread, store, where_less

_ZERO, _ONE, _LOWEST = np.float32(0), np.float32(1), np.float32(-1e30)


@kernel
def note_ancestors(ancestors: IndexRows, known: IndexRows, parents: Indices, depths: Indices, first: Integer):
    """The rows of those before each node, from the root on, and its own at last.

    Args:
        ancestors: (N, longest) receives them.
        known: (any, longest) all that are known, of which `ancestors` are some.
        parents: (N,) the row of the parent of each, and one more; 0 of the root.
        depths: (N,) how many are before each.
        first: the row of the first node.
    """
    for n in range(parents.size):
        for k in range(depths[n]):
            ancestors[n, k] = known[parents[n] - 1, k]
        ancestors[n, depths[n]] = first + n


@kernel
def attention_forward(
    y: Rows,
    softmax: Rows,
    q: Rows,
    keys: Rows,
    values: Rows,
    ancestors: IndexRows,
    depths: Indices,
    weights: Rows,
    query: Vector,
    n_head: Integer,
    scale: Number,
):
    """The mean of the values of a node's ancestors, weighted by how well their keys fit its query.

    Args:
        y: (N, D) the result.
        softmax: (N, 2 · WIDE) of each head the highest score, and by what exponentials are multiplied.
        q: (N, D) queries.
        keys: (any, D)
        values: (any, D)
        ancestors: (N, longest) rows of keys and values.
        depths: (N,) how many ancestors each has beside itself.
        weights: (longest, WIDE), scratch.
        query: (D,), scratch.
        n_head: how many heads share the columns.
        scale: of the scores.
    """
    size, shrink = q.shape[1], np.float32(scale)
    for n in range(q.shape[0]):
        seen = depths[n] + 1
        for j in range(0, size, WIDE):
            store(query, j, load(q[n], j) * (shrink * once(q[n], j)))
        highest = spread(_LOWEST)
        for k in range(seen):
            key, fit = keys[ancestors[n, k]], spread(_ZERO)
            for j in range(0, size, WIDE):
                fit += load(query, j) * load(key, j)
            score = fold(fit, n_head)
            highest = where_less(highest, score, score, highest)
            store(weights[k], 0, score)
        total = spread(_ZERO)
        for k in range(seen):
            weight = exp(load(weights[k], 0) - highest)
            total += weight
            store(weights[k], 0, weight)
        share = _ONE / total
        for j in range(0, size, WIDE):
            mean = spread(_ZERO)
            for k in range(seen):
                mean += load(weights[k], 0) * load(values[ancestors[n, k]], j)
            store(y[n], j, mean * share)
        store(softmax[n], 0, highest)
        store(softmax[n], WIDE, share)


@kernel
def attention_backward(
    dq: Rows,
    dkeys: Rows,
    dvalues: Rows,
    dy: Rows,
    y: Rows,
    softmax: Rows,
    q: Rows,
    keys: Rows,
    values: Rows,
    ancestors: IndexRows,
    depths: Indices,
    query: Vector,
    coming: Vector,
    n_head: Integer,
    scale: Number,
):
    """Weights are made again, which is quicker than to keep them; $\\sum_w p_w dp_w$ is `dy · y`."""
    size, shrink = q.shape[1], np.float32(scale)
    for n in range(q.shape[0]):
        for j in range(0, size, WIDE):
            store(dq[n], j, spread(_ZERO))
            store(dkeys[n], j, spread(_ZERO))
            store(dvalues[n], j, spread(_ZERO))
    for n in range(q.shape[0]):
        highest, share, inner = load(softmax[n], 0), load(softmax[n], WIDE), spread(_ZERO)
        for j in range(0, size, WIDE):
            store(query, j, load(q[n], j) * (shrink * once(q[n], j)))
            store(coming, j, load(dy[n], j) * once(q[n], j))
            inner += load(coming, j) * load(y[n], j)
        inner = fold(inner, n_head)
        for k in range(depths[n] + 1):
            ancestor = ancestors[n, k]
            key, value, fit, dweight = keys[ancestor], values[ancestor], spread(_ZERO), spread(_ZERO)
            for j in range(0, size, WIDE):
                fit += load(query, j) * load(key, j)
                dweight += load(coming, j) * load(value, j)
            weight = exp(fold(fit, n_head) - highest) * share
            dscore = weight * (fold(dweight, n_head) - inner) * shrink
            dkey, dvalue = dkeys[ancestor], dvalues[ancestor]
            for j in range(0, size, WIDE):
                store(dq[n], j, load(dq[n], j) + dscore * load(key, j))
                store(dkey, j, load(dkey, j) + dscore * load(q[n], j))
                store(dvalue, j, load(dvalue, j) + weight * load(dy[n], j))
