"""Where a few integers stand in a table: what open addressing needs."""

import numpy as np

from handgrad.engine.compiling import compiled


@compiled
def hash_of(tokens):
    """Source: Fowler, Noll and Vo, FNV-1a, with 64 bits; the upper ones, which all tokens reach, come down."""
    value = np.uint64(0xCBF29CE484222325)
    for token in tokens:
        value = (value ^ np.uint64(token)) * np.uint64(0x100000001B3)
    return np.int64((value ^ (value >> np.uint64(29))) & np.uint64(0x7FFFFFFFFFFFFFFF))


@compiled
def equal(a, b):
    """Whether two rows of integers are the same."""
    differ = 0
    for i in range(a.size):
        differ |= a[i] ^ b[i]
    return differ == 0
