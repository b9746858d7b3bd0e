"""The products and transposes that all operations rest on, and the two functions that LLVM vectorises."""

import numba
import numpy as np
import pytest

from handgrad.engine import elementary
from handgrad.engine.matmul import TALL, matmul, transpose
from handgrad.engine.vectors import NARROW, WIDE, aligned_zeros, padded


@numba.njit
def product(out, a, b):
    matmul(out, a, b)


@numba.njit
def transposed(out, x):
    transpose(out, x)


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape, np.float32)


@pytest.mark.parametrize("rows", [1, TALL - 1, TALL, 3 * TALL + 2])
@pytest.mark.parametrize("depth", [1, 7, 256, 257, 600])
@pytest.mark.parametrize("columns", [NARROW, WIDE, WIDE + NARROW])
def test_products(rows, depth, columns):
    a, b = normal(rows, depth), normal(depth, columns)
    right = a.astype(np.float64) @ b
    for left in (a, np.asfortranarray(a)[:]):
        out = np.full((rows, columns), np.nan, np.float32)
        product(out, left, b)
        assert np.abs(out - right).max() <= 1e-6 * depth**0.5 * np.abs(right).max()


def test_a_product_reads_and_writes_nothing_else():
    a, b = normal(11, 13), normal(13, 3 * WIDE)
    out = np.full((14, 3 * WIDE), 7, np.float32)
    product(out[1:10, :WIDE], a, b[:12])
    assert np.abs(out[1:10, :WIDE] - a[:9, :12] @ b[:12, :WIDE]).max() < 1e-4
    out[1:10, :WIDE] = 7
    assert (out == 7).all()


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 3), (3, 1), (2, 4)])
def test_transposes(rows, columns):
    x = normal(rows * NARROW, columns * NARROW)
    out = np.empty((columns * NARROW, rows * NARROW), np.float32)
    transposed(out, x)
    assert np.array_equal(out, x.T)


def test_padding_and_alignment():
    assert [padded(n) for n in (1, NARROW, NARROW + 1)] == [NARROW, NARROW, 2 * NARROW]
    assert all(aligned_zeros(3, n).ctypes.data % 64 == 0 for n in range(1, 20))


@numba.njit
def exps(out, x):
    for i in range(x.size):
        out[i] = elementary.exp(x[i])


@numba.njit
def tanhs(out, x):
    for i in range(x.size):
        out[i] = elementary.tanh(x[i])


def values(function, x):
    x = np.asarray(x, np.float32)
    out = np.empty_like(x)
    function(out, x)
    return out


def test_tanh_is_within_its_bound():
    x = np.linspace(-15, 15, 1_000_001, dtype=np.float32)
    assert np.abs(values(tanhs, x) - np.tanh(x.astype(np.float64))).max() <= 2e-7
    assert values(tanhs, [0, np.inf, -np.inf, 1e30, 1e-40]).tolist() == [0, 1, -1, 1, 0]


def test_exp_is_within_its_bound():
    x = np.linspace(-69, 88, 1_000_001, dtype=np.float32)
    right = np.exp(x.astype(np.float64))
    assert (np.abs(values(exps, x) - right) / right / np.maximum(1, np.abs(x))).max() <= 1.5e-7
    assert values(exps, [0, -70, -1e30, -np.inf]).tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("function", [exps, tanhs])
def test_not_a_number_stays_one_in_any_lane(function):
    x = np.zeros(67)
    x[[0, 13, 66]] = np.nan
    assert np.flatnonzero(np.isnan(values(function, x))).tolist() == [0, 13, 66]
