"""The recurrence of `handgrad.ops.lstm`, at one place of some lines.

`a` has what i, f, g and o take in, and then they themselves, and then their gradients. `c_before` and `c` are the
memory before and after, `tanh_c` what of it the state shows.
"""

import numpy as np

from handgrad.engine.elementary import sigmoid, tanh
from handgrad.engine.tape import Rows, kernel
from handgrad.engine.vectors import WIDE, load, store

_ONE = np.float32(1)


@kernel
def state_forward(h: Rows, c: Rows, tanh_c: Rows, a: Rows, c_before: Rows):
    """`c = f * c_before + i * g` and `h = o * tanh(c)`."""
    size = h.shape[1]
    for n in range(h.shape[0]):
        i, f, g, o = a[n, :size], a[n, size : 2 * size], a[n, 2 * size : 3 * size], a[n, 3 * size :]
        for j in range(0, size, WIDE):
            enters, stays = sigmoid(load(i, j)), sigmoid(load(f, j))
            new, shown = tanh(load(g, j)), sigmoid(load(o, j))
            memory = stays * load(c_before[n], j) + enters * new
            visible = tanh(memory)
            store(i, j, enters)
            store(f, j, stays)
            store(g, j, new)
            store(o, j, shown)
            store(c[n], j, memory)
            store(tanh_c[n], j, visible)
            store(h[n], j, shown * visible)


@kernel
def state_backward(a: Rows, dc: Rows, dh: Rows, tanh_c: Rows, c_before: Rows):
    """Gradients of what the gates took in, and in `dc` of the memory before, from those of state and memory."""
    size = dh.shape[1]
    for n in range(dh.shape[0]):
        i, f, g, o = a[n, :size], a[n, size : 2 * size], a[n, 2 * size : 3 * size], a[n, 3 * size :]
        for j in range(0, size, WIDE):
            enters, stays, new, shown = load(i, j), load(f, j), load(g, j), load(o, j)
            visible, coming = load(tanh_c[n], j), load(dh[n], j)
            memory = load(dc[n], j) + shown * (_ONE - visible * visible) * coming
            store(o, j, shown * (_ONE - shown) * visible * coming)
            store(i, j, enters * (_ONE - enters) * new * memory)
            store(f, j, stays * (_ONE - stays) * load(c_before[n], j) * memory)
            store(g, j, (_ONE - new * new) * enters * memory)
            store(dc[n], j, stays * memory)
