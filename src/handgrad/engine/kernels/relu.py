"""The rectified linear unit, as in `handgrad.ops.relu`."""

import numpy as np

from handgrad.engine.tape import Rows, kernel
from handgrad.engine.vectors import WIDE, load, store, where_less

_ZERO = np.float32(0)


@kernel
def relu_forward(h: Rows):
    """In place."""
    for n in range(h.shape[0]):
        for j in range(0, h.shape[1], WIDE):
            here = load(h[n], j)
            store(h[n], j, where_less(here, _ZERO, _ZERO, here))


@kernel
def relu_backward(dh: Rows, h: Rows):
    """In place: what was cut off gets nothing."""
    for n in range(h.shape[0]):
        for j in range(0, h.shape[1], WIDE):
            store(dh[n], j, where_less(_ZERO, load(h[n], j), load(dh[n], j), _ZERO))
