"""The products and transposes that all operations rest on."""

import numpy as np
import pytest

from handgrad.engine.kernels.products import add_product, matmul, matmul_transposed, transpose
from handgrad.engine.matmul import TALL
from handgrad.engine.tape import Tape
from handgrad.engine.vectors import NARROW, WIDE


def run(operation):
    Tape([operation], np.zeros(1, np.int64)).run()


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape, np.float32)


@pytest.mark.parametrize("rows", [1, TALL - 1, TALL, 3 * TALL + 2])
@pytest.mark.parametrize("depth", [1, 7, 256, 257, 600])
@pytest.mark.parametrize("columns", [NARROW, WIDE, WIDE + NARROW])
def test_products(rows, depth, columns):
    a, b = normal(rows, depth), normal(depth, columns)
    right = a.astype(np.float64) @ b
    for multiply, left in ((matmul, a), (matmul_transposed, np.ascontiguousarray(a.T))):
        out = np.full((rows, columns), np.nan, np.float32)
        run(multiply(out, left, b))
        assert np.abs(out - right).max() <= 1e-6 * depth**0.5 * np.abs(right).max()


@pytest.mark.parametrize("depth", [1, 256, 600])
def test_a_product_is_added(depth):
    a, b, before = normal(11, depth), normal(depth, WIDE), normal(11, WIDE)
    out = before.copy()
    run(add_product(out, a, b))
    right = before + (a.astype(np.float64) @ b)
    assert np.abs(out - right).max() <= 1e-6 * depth**0.5 * np.abs(right).max()


def test_a_product_reads_and_writes_nothing_else():
    a, b = normal(11, 13), normal(13, 3 * WIDE)
    out = np.full((14, 3 * WIDE), 7, np.float32)
    run(matmul(out[1:10, :WIDE], a, b[:12]))
    assert np.abs(out[1:10, :WIDE] - a[:9, :12] @ b[:12, :WIDE]).max() < 1e-4
    out[1:10, :WIDE] = 7
    assert (out == 7).all()


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 3), (3, 1), (2, 4)])
def test_transposes(rows, columns):
    x = normal(rows * NARROW, columns * NARROW)
    out = np.empty((columns * NARROW, rows * NARROW), np.float32)
    run(transpose(out, x))
    assert np.array_equal(out, x.T)
