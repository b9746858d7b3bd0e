"""Vectors, and exp and tanh, which take numbers and vectors alike."""

import numba
import numpy as np
import pytest

from handgrad.engine import elementary
from handgrad.engine.vectors import (
    NARROW,
    WIDE,
    aligned_rows,
    aligned_zeros,
    load,
    padded,
    square_root,
    store,
    where_less,
)


@numba.njit
def exp_of_numbers(out, x):
    for i in range(x.size):
        out[i] = elementary.exp(x[i])


@numba.njit
def exp_of_vectors(out, x):
    for j in range(0, x.size, WIDE):
        store(out, j, elementary.exp(load(x, j)))


@numba.njit
def tanh_of_numbers(out, x):
    for i in range(x.size):
        out[i] = elementary.tanh(x[i])


@numba.njit
def tanh_of_vectors(out, x):
    for j in range(0, x.size, WIDE):
        store(out, j, elementary.tanh(load(x, j)))


@numba.njit
def log1p_of_numbers(out, x):
    for i in range(x.size):
        out[i] = elementary.log1p(x[i])


@numba.njit
def log1p_of_vectors(out, x):
    for j in range(0, x.size, WIDE):
        store(out, j, elementary.log1p(load(x, j)))


@numba.njit
def arithmetic(out, x):
    for j in range(0, x.size, WIDE):
        v = load(x, j)
        total = v
        total += 1
        store(out, j, where_less(v, 0, square_root(v * v) / 2 - 3.5, np.float32(2) * total))


def values(function, x):
    padding = np.zeros(padded(len(x)), np.float32)
    padding[: len(x)] = x
    out = np.full_like(padding, 7)
    function(out, padding)
    return out[: len(x)]


def test_padding_and_alignment():
    assert [padded(n) for n in (1, NARROW, NARROW + 1)] == [NARROW, NARROW, 2 * NARROW]
    assert all(aligned_zeros(3, n).ctypes.data % 64 == 0 for n in range(1, 20))


@pytest.mark.parametrize("columns", [NARROW, WIDE, 1024])
def test_rows_are_an_odd_number_of_half_vectors_apart(columns):
    rows = aligned_rows(5, columns)
    assert rows.shape == (5, columns)
    assert rows.ctypes.data % 64 == 0
    assert rows.strides[0] // (4 * NARROW) % 2 == 1


@pytest.mark.parametrize("size", [NARROW, WIDE, WIDE + NARROW, 4 * WIDE])
def test_arithmetic_on_rows_of_any_number_of_half_vectors(size):
    x = np.random.default_rng(size).standard_normal(size).astype(np.float32)
    right = np.where(x < 0, np.abs(x) / 2 - 3.5, 2 * (x + 1))
    assert np.allclose(values(arithmetic, x), right, rtol=1e-6)


def test_a_row_is_written_to_its_end_and_no_further():
    out = np.full(2 * WIDE + NARROW + 5, 7, np.float32)
    arithmetic(out[: 2 * WIDE + NARROW], np.ones(2 * WIDE + NARROW, np.float32))
    assert (out == np.repeat([4, 7], [2 * WIDE + NARROW, 5])).all()


@pytest.mark.parametrize("function", [tanh_of_numbers, tanh_of_vectors])
def test_tanh_is_within_its_bound(function):
    x = np.linspace(-15, 15, 1_000_001, dtype=np.float32)
    assert np.abs(values(function, x) - np.tanh(x.astype(np.float64))).max() <= 2e-7
    assert values(function, [0, np.inf, -np.inf, 1e30, 1e-40]).tolist() == [0, 1, -1, 1, 0]


@pytest.mark.parametrize("function", [exp_of_numbers, exp_of_vectors])
def test_exp_is_within_its_bound(function):
    x = np.linspace(-69, 88, 1_000_001, dtype=np.float32)
    right = np.exp(x.astype(np.float64))
    assert (np.abs(values(function, x) - right) / right / np.maximum(1, np.abs(x))).max() <= 1.5e-7
    assert values(function, [0, -70, -1e30, -np.inf]).tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("function", [log1p_of_numbers, log1p_of_vectors])
def test_log1p_is_within_its_bound(function):
    x = np.linspace(0, 1, 1_000_001, dtype=np.float32)
    right = np.log1p(x.astype(np.float64))
    assert (np.abs(values(function, x) - right) <= 2e-7 * right).all()


@pytest.mark.parametrize("function", [exp_of_numbers, exp_of_vectors, tanh_of_numbers, tanh_of_vectors])
def test_not_a_number_stays_one_in_any_lane(function):
    x = np.zeros(67)
    x[[0, 13, 66]] = np.nan
    assert np.flatnonzero(np.isnan(values(function, x))).tolist() == [0, 13, 66]
