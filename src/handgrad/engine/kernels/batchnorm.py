"""Batch norm and then tanh, where a row may stand for several equal ones: `handgrad.ops.batchnorm` with counts.

A strip of WIDE columns is worked through from the first row to the last, so that its sums stay in registers.
"""

import numpy as np

from handgrad.engine.elementary import tanh
from handgrad.engine.tape import Integer, Rows, Vector, kernel
from handgrad.engine.vectors import WIDE, load, spread, square_root, store

_EPS, _ZERO, _ONE = np.float32(1e-5), np.float32(0), np.float32(1)


@kernel
def batchnorm_tanh_forward(
    h: Rows, bnraw: Rows, bnmean: Vector, bnvar: Vector, counts: Vector, n: Integer, gain: Vector, bias: Vector
):
    """`h = tanh(gain * bnraw + bias)`, where `bnraw` has the input at first.

    Args:
        h: (N, D), receives the result.
        bnraw: (N, D), the input; receives it normalised.
        bnmean: (D,), receives the mean.
        bnvar: (D,), receives the variance, with Bessel's correction.
        counts: (N,) how many equal rows each stands for.
        n: the sum of the counts.
        gain: (D,)
        bias: (D,)
    """
    for j in range(0, bnraw.shape[1], WIDE):
        total, squares = spread(_ZERO), spread(_ZERO)
        for i in range(bnraw.shape[0]):
            total += load(bnraw[i], j) * counts[i]
        mean = total / n
        for i in range(bnraw.shape[0]):
            bndiff = load(bnraw[i], j) - mean
            squares += bndiff * bndiff * counts[i]
        variance = squares / (n - 1)
        scale = _ONE / square_root(variance + _EPS)
        gain_here, bias_here = load(gain, j), load(bias, j)
        for i in range(bnraw.shape[0]):
            raw = (load(bnraw[i], j) - mean) * scale
            store(bnraw[i], j, raw)
            store(h[i], j, tanh(gain_here * raw + bias_here))
        store(bnmean, j, mean)
        store(bnvar, j, variance)


@kernel
def batchnorm_tanh_backward(
    dx: Rows,
    dgain: Vector,
    dbias: Vector,
    h: Rows,
    bnraw: Rows,
    bnvar: Vector,
    counts: Vector,
    n: Integer,
    gain: Vector,
):
    """The closed form; `dx` has the cotangent of `h` at first, and as it a row is the sum over all that it stands for.

    Args:
        dx: (N, D), receives the gradient of the input.
        dgain: (D,), receives that of the gain.
        dbias: (D,), receives that of the bias.
        h: the result of the forward.
        bnraw: as the forward left it.
        bnvar: likewise.
        counts: as in the forward, like what follows.
        n: the sum of the counts.
        gain: (D,)
    """
    for j in range(0, dx.shape[1], WIDE):
        scale = load(gain, j) / square_root(load(bnvar, j) + _EPS)
        dbias_here, dgain_here = spread(_ZERO), spread(_ZERO)
        for i in range(dx.shape[0]):
            tangent = load(h[i], j)
            dy = load(dx[i], j) * (_ONE - tangent * tangent)
            store(dx[i], j, dy)
            dbias_here += dy
            dgain_here += dy * load(bnraw[i], j)
        store(dbias, j, dbias_here)
        store(dgain, j, dgain_here)
        through_mean, through_variance = dbias_here / n, dgain_here / (n - 1)
        for i in range(dx.shape[0]):
            through = (through_mean + through_variance * load(bnraw[i], j)) * counts[i]
            store(dx[i], j, scale * (load(dx[i], j) - through))


@kernel
def batchnorm_tanh_inference(h: Rows, x: Rows, bnmean: Vector, bnvar: Vector, gain: Vector, bias: Vector):
    """With a given mean and variance."""
    for j in range(0, h.shape[1], WIDE):
        scale = load(gain, j) / square_root(load(bnvar, j) + _EPS)
        shift = load(bias, j) - load(bnmean, j) * scale
        for i in range(h.shape[0]):
            store(h[i], j, tanh(load(x[i], j) * scale + shift))
