"""Layer norm, as in `handgrad.ops.layernorm`.

Columns that only pad are 0 in all rows, in `gain` and in `bias`, and stay it. `real` has 1 for each of the others, of
which there are `n_columns`.
"""

import math

import numpy as np

from handgrad.engine.tape import Integer, Rows, Vector, kernel
from handgrad.engine.vectors import WIDE, load, once, spread, store, sum_of

_ZERO, _ONE, _EPS = np.float32(0), np.float32(1), np.float32(1e-5)


@kernel
def layernorm_forward(
    y: Rows, raw: Rows, std_inv: Vector, x: Rows, gain: Vector, bias: Vector, real: Vector, n_columns: Integer
):
    """`raw = (x - mean) * std_inv` of each row, and `y = gain * raw + bias`"""
    size, of_mean = x.shape[1], _ONE / np.float32(n_columns)
    for n in range(x.shape[0]):
        total, squares = spread(_ZERO), spread(_ZERO)
        for j in range(0, size, WIDE):
            total += load(x[n], j) * once(x[n], j)
        mean = sum_of(total) * of_mean
        for j in range(0, size, WIDE):
            diff = (load(x[n], j) - mean) * load(real, j)
            squares += diff * diff * once(x[n], j)
        std_inv[n] = scale = _ONE / math.sqrt(sum_of(squares) * of_mean + _EPS)
        for j in range(0, size, WIDE):
            normal = (load(x[n], j) - mean) * load(real, j) * scale
            store(raw[n], j, normal)
            store(y[n], j, load(gain, j) * normal + load(bias, j))


@kernel
def layernorm_backward(
    dx: Rows,
    dgain: Vector,
    dbias: Vector,
    dy: Rows,
    raw: Rows,
    std_inv: Vector,
    gain: Vector,
    real: Vector,
    n_columns: Integer,
):
    """`dx` gains what comes through the norm."""
    size, of_mean = dx.shape[1], _ONE / np.float32(n_columns)
    for j in range(0, size, WIDE):
        store(dgain, j, spread(_ZERO))
        store(dbias, j, spread(_ZERO))
    for n in range(dx.shape[0]):
        through_mean, through_std = spread(_ZERO), spread(_ZERO)
        for j in range(0, size, WIDE):
            coming, normal = load(dy[n], j), load(raw[n], j)
            store(dbias, j, load(dbias, j) + coming)
            store(dgain, j, load(dgain, j) + coming * normal)
            u = coming * load(gain, j) * once(dx[n], j)
            through_mean += u
            through_std += u * normal
        through_mean, through_std = sum_of(through_mean) * of_mean, sum_of(through_std) * of_mean
        for j in range(0, size, WIDE):
            u = load(dy[n], j) * load(gain, j) - through_mean * load(real, j) - through_std * load(raw[n], j)
            store(dx[n], j, load(dx[n], j) + u * std_inv[n])
