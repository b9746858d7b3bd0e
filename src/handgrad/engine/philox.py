# ruff: noqa: ARG001  (the arguments of an intrinsic reach its code generator)
"""Random numbers that depend on nothing but what they are for, in any order."""

import numpy as np
from llvmlite import ir
from numba import types

from handgrad.engine.compiling import compiled, intrinsic

_MULTIPLIER0, _MULTIPLIER1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_WEYL0, _WEYL1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)


@compiled
def philox(counter, key0, key1, counter2=0, counter3=0):
    """Four random words that depend on nothing but the arguments: Philox4x64-10, as in `np.random.Philox`.

    Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", sec. 4.
    """
    x0, x1, x2, x3 = np.uint64(counter), np.uint64(0), np.uint64(counter2), np.uint64(counter3)
    k0, k1 = np.uint64(key0), np.uint64(key1)
    for _ in range(10):
        high0, high1 = _high_word(_MULTIPLIER0, x0), _high_word(_MULTIPLIER1, x2)
        x0, x1, x2, x3 = high1 ^ x1 ^ k0, _MULTIPLIER1 * x2, high0 ^ x3 ^ k1, _MULTIPLIER0 * x0
        k0, k1 = k0 + _WEYL0, k1 + _WEYL1
    return x0, x1, x2, x3


@intrinsic
def _high_word(_, a, b):
    """The upper half of the product of two 64-bit words."""

    def codegen(_, builder, __, words):
        double = ir.IntType(128)
        product = builder.mul(*(builder.zext(word, double) for word in words))
        return builder.trunc(builder.lshr(product, double(64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), codegen
