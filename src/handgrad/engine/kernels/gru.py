"""The recurrence of `handgrad.ops.gru`, at one place of some lines.

`a` has what the gates z and r and the new state h̄ take in, and then they themselves, and then their gradients; `before`
is the state before, and `reset` what the new one sees of it, r · before. `dh` has the gradient of the state, and then
that of the state before. Between the two halves of each pass stands a product.
"""

import numpy as np

from handgrad.engine.elementary import sigmoid, tanh
from handgrad.engine.tape import Rows, kernel
from handgrad.engine.vectors import WIDE, load, store

_ONE = np.float32(1)


@kernel
def gates_forward(a: Rows, reset: Rows, before: Rows):
    """`z, r = sigmoid(z), sigmoid(r)` and `reset = r * before`."""
    size = before.shape[1]
    for n in range(before.shape[0]):
        z, r = a[n, :size], a[n, size : 2 * size]
        for j in range(0, size, WIDE):
            store(z, j, sigmoid(load(z, j)))
            opened = sigmoid(load(r, j))
            store(r, j, opened)
            store(reset[n], j, opened * load(before[n], j))


@kernel
def state_forward(h: Rows, a: Rows, before: Rows):
    """`hbar = tanh(hbar)` and `h = before + z * (hbar - before)`."""
    size = before.shape[1]
    for n in range(before.shape[0]):
        z, hbar = a[n, :size], a[n, 2 * size :]
        for j in range(0, size, WIDE):
            new, old = tanh(load(hbar, j)), load(before[n], j)
            store(hbar, j, new)
            store(h[n], j, old + load(z, j) * (new - old))


@kernel
def state_backward(a: Rows, dh: Rows, before: Rows):
    """Gradients of what z and h̄ took in, and of `before` as it goes on."""
    size = before.shape[1]
    for n in range(before.shape[0]):
        z, hbar = a[n, :size], a[n, 2 * size :]
        for j in range(0, size, WIDE):
            share, new, coming = load(z, j), load(hbar, j), load(dh[n], j)
            through = share * coming
            store(z, j, through * (_ONE - share) * (new - load(before[n], j)))
            store(hbar, j, through * (_ONE - new * new))
            store(dh[n], j, coming - through)


@kernel
def gates_backward(a: Rows, dh: Rows, dreset: Rows, before: Rows):
    """Gradients of what r took in, and of `before` through the reset."""
    size = before.shape[1]
    for n in range(before.shape[0]):
        r = a[n, size : 2 * size]
        for j in range(0, size, WIDE):
            opened = load(r, j)
            through = opened * load(dreset[n], j)
            store(r, j, through * (_ONE - opened) * load(before[n], j))
            store(dh[n], j, load(dh[n], j) + through)
