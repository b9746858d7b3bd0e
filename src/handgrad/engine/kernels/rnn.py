"""The recurrence of `handgrad.ops.rnn`, at one place of some lines."""

import numpy as np

from handgrad.engine.elementary import tanh
from handgrad.engine.tape import Rows, kernel
from handgrad.engine.vectors import WIDE, load, store

_ONE = np.float32(1)


@kernel
def state_forward(h: Rows, a: Rows):
    """`h = tanh(a)`."""
    for n in range(h.shape[0]):
        for j in range(0, h.shape[1], WIDE):
            store(h[n], j, tanh(load(a[n], j)))


@kernel
def state_backward(a: Rows, dh: Rows, h: Rows):
    """The gradient of what the state took in, into `a`."""
    for n in range(h.shape[0]):
        for j in range(0, h.shape[1], WIDE):
            state = load(h[n], j)
            store(a[n], j, load(dh[n], j) * (_ONE - state * state))
