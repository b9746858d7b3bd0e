"""exp, tanh and others in float32 of numbers or of vectors, without branches, so that many are computed at a time."""

import math

import numpy as np

from handgrad.engine.compiling import compiled
from handgrad.engine.vectors import times_power_of_two, where_less

_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)
_LOG2_E, _TWICE_LOG2_E = np.float32(1 / math.log(2)), np.float32(2 / math.log(2))
_ROUND = np.float32(1.5 * 2**23)
"""So large that to add it rounds to an integer, which the last bits of the sum then hold."""
_LOWEST, _HIGHEST, _TANH_IS_ONE = np.float32(-100), np.float32(127), np.float32(28)
_DEGREE = 6
_POLYNOMIAL = np.polynomial.Chebyshev.interpolate(np.exp2, _DEGREE, domain=[-0.5, 0.5])
_P0, _P1, _P2, _P3, _P4, _P5, _P6 = _POLYNOMIAL.convert(kind=np.polynomial.Polynomial).coef.astype(np.float32)
_LOG1P = np.polynomial.Chebyshev.interpolate(lambda x: np.log1p(x) / x, 9, domain=[0, 1])
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8, _L9 = _LOG1P.convert(kind=np.polynomial.Polynomial).coef.astype(np.float32)


@compiled
def _clip(x, lowest, highest):
    """NaN stays NaN."""
    x = where_less(highest, x, highest, x)
    return where_less(x, lowest, lowest, x)


@compiled
def _exp2(x):
    r"""$2^x = 2^k 2^r$ for −100 ≤ x ≤ 127, where k is x rounded.

    A polynomial through the Chebyshev nodes is enough for $2^r$, and k is added to the number's exponent.

    Source: Cody and Waite 1980, "Software Manual for the Elementary Functions", ch. 6.
    """
    shifted = x + _ROUND
    r = x - (shifted - _ROUND)
    power = (((((_P6 * r + _P5) * r + _P4) * r + _P3) * r + _P2) * r + _P1) * r + _P0
    return times_power_of_two(power, shifted)


@compiled
def exp(x):
    """The exponential of x ≤ 88, within 1.5e-7 · max(1, |x|) of it relatively.

    It is 0 where it should be below 2⁻¹⁰⁰, so that what is made of it is no denormal, which processors are slow with.
    """
    scaled = x * _LOG2_E
    return where_less(scaled, _LOWEST, _ZERO, _exp2(_clip(scaled, _LOWEST, _HIGHEST)))


@compiled
def tanh(x):
    r"""The hyperbolic tangent, within 2e-7 of it: $1 - 2 / (e^{2x} + 1)$."""
    return _ONE - _TWO / (_exp2(_clip(x * _TWICE_LOG2_E, -_TANH_IS_ONE, _TANH_IS_ONE)) + _ONE)


@compiled
def sigmoid(x):
    r"""$1 / (1 + e^{-x})$, within 2e-7 of it."""
    return _ONE / (_exp2(_clip(x * -_LOG2_E, _LOWEST, _HIGHEST)) + _ONE)


@compiled
def log1p(x):
    r"""$\log(1 + x)$ for 0 ≤ x ≤ 1, within 2e-7 of it relatively: x times a polynomial through the Chebyshev nodes."""
    upper = (((_L9 * x + _L8) * x + _L7) * x + _L6) * x + _L5
    return x * (((((upper * x + _L4) * x + _L3) * x + _L2) * x + _L1) * x + _L0)
