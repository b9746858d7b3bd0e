"""Rows and the mean of all on their way from the root: `handgrad.ops.causal_mean` on the prefix tree.

Parents come before their children, so one pass over the nodes carries sums along, and one back gathers gradients.
"""

import numpy as np

from handgrad.engine.tape import Indices, Rows, kernel
from handgrad.engine.vectors import WIDE, load, spread, store

_ONE = np.float32(1)


@kernel
def add_causal_mean(x: Rows, total: Rows, before: Rows, parents: Indices, depths: Indices):
    """`total = before[parents] + x` and `x += total / (depths + 1)`.

    Args:
        x: (N, D), of each node.
        total: (N, D), receives the sum up to each node.
        before: the sums before: `total` itself with a row more in front, of zeros, or what was taken of it.
        parents: (N,) the row of each of them.
        depths: (N,) how many nodes are above each.
    """
    for n in range(x.shape[0]):
        share, above = _ONE / np.float32(depths[n] + 1), before[parents[n]]
        for j in range(0, x.shape[1], WIDE):
            here = load(x[n], j)
            so_far = load(above, j) + here
            store(total[n], j, so_far)
            store(x[n], j, here + so_far * share)


@kernel
def add_causal_mean_backward(dx: Rows, dtotal: Rows, parents: Indices, depths: Indices):
    """`dx` has the gradient of the result, and receives that of what it was made of.

    Args:
        dx: (N, D).
        dtotal: (N + 1 or more, D), scratch: of the sums, what they begin with in front.
        parents: as in the forward, like what follows.
        depths: (N,)
    """
    for n in range(dx.shape[0] + 1):
        for j in range(0, dtotal.shape[1], WIDE):
            store(dtotal[n], j, spread(np.float32(0)))
    for n in range(dx.shape[0] - 1, -1, -1):
        share, above = _ONE / np.float32(depths[n] + 1), dtotal[parents[n]]
        for j in range(0, dx.shape[1], WIDE):
            here = load(dx[n], j)
            onward = load(dtotal[n + 1], j) + here * share
            store(above, j, load(above, j) + onward)
            store(dx[n], j, here + onward)
