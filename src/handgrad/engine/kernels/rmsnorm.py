"""Root-mean-square norm without parameters, as in `handgrad.ops.rmsnorm`"""

import numpy as np

from handgrad.engine.tape import Integer, Rows, Vector, kernel
from handgrad.engine.vectors import WIDE, first, fold, keep_first, load, spread, square_root, store

_ZERO, _ONE, _EPS = np.float32(0), np.float32(1), np.float32(1e-5)


@kernel
def rmsnorm_forward(y: Rows, rms_inv: Vector, x: Rows, n_columns: Integer):
    """`y = x * rms_inv` of each row."""
    size, of_mean = x.shape[1], _ONE / np.float32(n_columns)
    for n in range(x.shape[0]):
        squares = spread(_ZERO)
        for j in range(0, size, WIDE):
            here = load(x[n], j)
            squares += keep_first(here * here, size - j)
        scale = _ONE / square_root(fold(squares, 1) * of_mean + _EPS)
        for j in range(0, size, WIDE):
            store(y[n], j, load(x[n], j) * scale)
        rms_inv[n] = first(scale)


@kernel
def rmsnorm_backward(dx: Rows, dy: Rows, y: Rows, rms_inv: Vector, n_columns: Integer):
    """`dx` gains what comes through the norm."""
    size, of_mean = dx.shape[1], _ONE / np.float32(n_columns)
    for n in range(dx.shape[0]):
        through_rms = spread(_ZERO)
        for j in range(0, size, WIDE):
            through_rms += keep_first(load(dy[n], j) * load(y[n], j), size - j)
        through_rms = fold(through_rms, 1) * of_mean
        for j in range(0, size, WIDE):
            store(dx[n], j, load(dx[n], j) + (load(dy[n], j) - load(y[n], j) * through_rms) * rms_inv[n])
