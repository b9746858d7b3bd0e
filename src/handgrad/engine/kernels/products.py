"""Products of matrices and sums with rows."""

import numpy as np

from handgrad.engine import matmul as products
from handgrad.engine import operations
from handgrad.engine.tape import Rows, Vector, kernel

_ONE = np.float32(1)


@kernel
def matmul(out: Rows, a: Rows, b: Rows):
    """`out = a @ b`."""
    products.matmul(out, a, b)


@kernel
def add_product(out: Rows, a: Rows, b: Rows):
    """`out += a @ b`."""
    products.add_product(out, a, b, _ONE)


@kernel
def matmul_transposed(out: Rows, a: Rows, b: Rows):
    """`out = a.T @ b`."""
    products.matmul(out, a.T, b)


@kernel
def transpose(out: Rows, x: Rows):
    """`out = x.T`."""
    products.transpose(out, x)


@kernel
def bias_forward(y: Rows, bias: Vector):
    """`y += bias`."""
    operations.bias_forward(y, bias)


@kernel
def copy(out: Vector, x: Vector):
    """`out[:] = x`."""
    operations.copy(out, x)
