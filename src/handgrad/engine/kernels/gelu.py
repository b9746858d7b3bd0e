"""The Gaussian error linear unit, as in `handgrad.ops.gelu`, behind a linear layer whose bias it adds."""

import math

import numpy as np

from handgrad.engine.elementary import tanh
from handgrad.engine.tape import Rows, Vector, kernel
from handgrad.engine.vectors import WIDE, load, spread, store

_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_SCALE, _CUBIC = np.float32(math.sqrt(2 / math.pi)), np.float32(0.044715)
_THRICE_CUBIC = np.float32(3 * 0.044715)


@kernel
def gelu_forward(y: Rows, x: Rows, bias: Vector):
    """`y = gelu(x + bias)`; `x` becomes the slope there."""
    for n in range(x.shape[0]):
        for j in range(0, x.shape[1], WIDE):
            here = load(x[n], j) + load(bias, j)
            square = here * here
            t = tanh(here * (square * _CUBIC + _ONE) * _SCALE)
            share = t * _HALF + _HALF
            store(y[n], j, here * share)
            du = (square * _THRICE_CUBIC + _ONE) * (_HALF * _SCALE)
            store(x[n], j, share + here * (_ONE - t * t) * du)


@kernel
def gelu_backward(dx: Rows, dbias: Vector, slope: Rows):
    """`dx *= slope`, and `dbias = dx.sum(0)`."""
    for j in range(0, dx.shape[1], WIDE):
        total = spread(_ZERO)
        for n in range(dx.shape[0]):
            here = load(dx[n], j) * load(slope[n], j)
            store(dx[n], j, here)
            total += here
        store(dbias, j, total)
