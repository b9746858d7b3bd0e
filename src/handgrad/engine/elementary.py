"""exp and tanh in float32, without branches or calls, so that LLVM computes many at a time."""

import math

import numpy as np

from handgrad.engine.compiling import compiled

_ONE, _TWO = np.float32(1), np.float32(2)
_LOG2_E, _TWICE_LOG2_E = np.float32(1 / math.log(2)), np.float32(2 / math.log(2))
_ROUND = np.float32(1.5 * 2**23)
"""So large that to add it rounds to an integer, which the last bits of the sum then hold."""
_LOWEST, _HIGHEST, _TANH_IS_ONE = np.float32(-100), np.float32(127), np.float32(28)
_T1, _T2, _T3, _T4, _T5, _T6, _T7 = (np.float32(math.log(2) ** n / math.factorial(n)) for n in range(1, 8))


@compiled
def _clip(x, lowest, highest):
    """NaN stays NaN, since it compares as neither."""
    x = highest if x > highest else x
    return lowest if x < lowest else x


@compiled
def _exp2(x):
    r"""$2^x = 2^k 2^r$ for −100 ≤ x ≤ 127, where k is x rounded.

    A Taylor polynomial is enough for $2^r$, and k is added to the exponent of the floating-point number.

    Source: Cody and Waite 1980, "Software Manual for the Elementary Functions", ch. 6.
    """
    shifted = x + _ROUND
    r = x - (shifted - _ROUND)
    power = ((((((_T7 * r + _T6) * r + _T5) * r + _T4) * r + _T3) * r + _T2) * r + _T1) * r + _ONE
    bits = np.float32(power).view(np.int32) + (np.float32(shifted).view(np.int32) << np.int32(23))
    return np.int32(bits).view(np.float32)


@compiled
def exp(x):
    """The exponential of x ≤ 88, within 1.5e-7 · max(1, |x|) of it relatively.

    It is 0 where it should be below 2⁻¹⁰⁰, so that what is made of it is no denormal, which processors are slow with.
    """
    scaled = x * _LOG2_E
    return np.float32(0) if scaled < _LOWEST else _exp2(_clip(scaled, _LOWEST, _HIGHEST))


@compiled
def tanh(x):
    r"""The hyperbolic tangent, within 2e-7 of it: $1 - 2 / (e^{2x} + 1)$."""
    return _ONE - _TWO / (_exp2(_clip(x * _TWICE_LOG2_E, -_TANH_IS_ONE, _TANH_IS_ONE)) + _ONE)
