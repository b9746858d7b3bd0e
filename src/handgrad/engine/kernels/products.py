"""Products of matrices and sums with rows."""

from typing import Any

import numpy as np

from handgrad.engine import matmul as products
from handgrad.engine.matmul import gemm_at
from handgrad.engine.tape import Integer, Operation, Rows, Vector, kernel
from handgrad.engine.vectors import WIDE, load, store

_ONE = np.float32(1)


@kernel
def _product(out: Rows, a: Rows, b: Rows, turned: Integer, kept: Integer):
    """`out = a @ b`, or `a.T @ b`, or that added to `out`: one kernel, since products are long to compile."""
    down, along = a.strides[0], a.strides[1]
    if turned:
        down, along = along, down
    sizes, strides = (out.shape[0], out.shape[1], b.shape[0]), (out.strides[0], down, along, b.strides[0])
    gemm_at(out.ctypes.data, a.ctypes.data, b.ctypes.data, sizes, strides, _ONE, np.float32(kept))


def matmul(out: Any, a: Any, b: Any) -> Operation:
    """`out = a @ b`."""
    return _product(out, a, b, 0, 0)


def add_product(out: Any, a: Any, b: Any) -> Operation:
    """`out += a @ b`."""
    return _product(out, a, b, 0, 1)


def matmul_transposed(out: Any, a: Any, b: Any) -> Operation:
    """`out = a.T @ b`."""
    return _product(out, a, b, 1, 0)


def add_product_transposed(out: Any, a: Any, b: Any) -> Operation:
    """`out += a.T @ b`."""
    return _product(out, a, b, 1, 1)


@kernel
def transpose(out: Rows, x: Rows):
    """`out = x.T`."""
    products.transpose(out, x)


@kernel
def bias_forward(y: Rows, bias: Vector):
    """`y += bias`."""
    for n in range(y.shape[0]):
        for j in range(0, bias.size, WIDE):
            store(y[n], j, load(y[n], j) + load(bias, j))


@kernel
def copy(out: Vector, x: Vector):
    """`out[:] = x`."""
    for i in range(out.size):
        out[i] = x[i]
