"""Root-mean-square norm without parameters, as in `handgrad.ops.rmsnorm`"""

import math

import numpy as np

from handgrad.engine.tape import Integer, Rows, Vector, kernel
from handgrad.engine.vectors import WIDE, load, once, spread, store, sum_of

_ZERO, _ONE, _EPS = np.float32(0), np.float32(1), np.float32(1e-5)


@kernel
def rmsnorm_forward(y: Rows, rms_inv: Vector, x: Rows, n_columns: Integer):
    """`y = x * rms_inv` of each row."""
    size, of_mean = x.shape[1], _ONE / np.float32(n_columns)
    for n in range(x.shape[0]):
        squares = spread(_ZERO)
        for j in range(0, size, WIDE):
            here = load(x[n], j)
            squares += here * here * once(x[n], j)
        rms_inv[n] = scale = _ONE / math.sqrt(sum_of(squares) * of_mean + _EPS)
        for j in range(0, size, WIDE):
            store(y[n], j, load(x[n], j) * scale)


@kernel
def rmsnorm_backward(dx: Rows, dy: Rows, y: Rows, rms_inv: Vector, n_columns: Integer):
    """`dx` gains what comes through the norm."""
    size, of_mean = dx.shape[1], _ONE / np.float32(n_columns)
    for n in range(dx.shape[0]):
        total = spread(_ZERO)
        for j in range(0, size, WIDE):
            total += load(dy[n], j) * load(y[n], j) * once(y[n], j)
        through_rms = sum_of(total) * of_mean
        for j in range(0, size, WIDE):
            store(dx[n], j, load(dx[n], j) + (load(dy[n], j) - load(y[n], j) * through_rms) * rms_inv[n])
