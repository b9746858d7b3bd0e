"""Learning rates and minibatches as functions of the step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handgrad.training.schedule import minibatch_positions, step_decay

any_batch = st.tuples(st.integers(0, 2**63 - 1), st.integers(1, 70), st.integers(1, 2**32))


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 11, 200_000])
def test_the_second_half_of_the_steps_takes_a_tenth(steps):
    rates = [step_decay(step, steps, 0.1) for step in range(steps)]
    assert rates == [0.1] * -(-steps // 2) + [0.1 / 10] * (steps // 2)


@given(any_batch, st.integers(0, 2**40), st.integers(0, 20), st.integers(1, 20))
@settings(derandomize=True, deadline=None)
def test_any_steps_alone_equal_all_in_order(batch, first, before, n_steps):
    seed, batch_size, n_examples = batch
    steps = range(first, first + before + n_steps)
    positions = minibatch_positions(seed, steps, batch_size, n_examples)
    assert positions.shape == (before + n_steps, batch_size)
    assert positions.dtype == np.int64
    assert np.array_equal(minibatch_positions(seed, steps[before:], batch_size, n_examples), positions[before:])
    assert positions.min() >= 0
    assert positions.max() < n_examples


def chi_square(counts: np.ndarray) -> float:
    expected = counts.sum() / counts.size
    return ((counts - expected) ** 2).sum() / expected


@pytest.mark.parametrize(("seed", "batch_size", "n_examples"), [(1, 32, 101), (2, 7, 64), (3, 1, 10), (2**62, 64, 3)])
def test_every_position_is_as_likely(seed, batch_size, n_examples):
    positions = minibatch_positions(seed, range(60_000 // batch_size), batch_size, n_examples)
    freedom = n_examples - 1
    statistic = chi_square(np.bincount(positions.ravel(), minlength=n_examples))
    assert abs(statistic - freedom) <= 4 * (2 * freedom) ** 0.5
    assert chi_square(np.bincount(positions.ravel() // 2 * 2, minlength=n_examples)) > 1000  # even positions only


def test_neighbours_are_independent():
    """Neither the place in a batch nor the step before tells anything of a position."""
    positions = minibatch_positions(5, range(20_000), 6, 8)
    for first, second in [(positions[:, 0], positions[:, 1]), (positions[:-1, 2], positions[1:, 2])]:
        statistic = chi_square(np.bincount(8 * first + second, minlength=64))
        assert abs(statistic - 63) <= 4 * (2 * 63) ** 0.5


def test_the_seed_and_the_step_matter():
    one = minibatch_positions(1, range(100), 8, 2**32)
    other = minibatch_positions(2, range(100), 8, 2**32)
    assert len(np.unique(np.stack([one, other]))) == 1600


def test_ten_million_lines_have_reachable_ends():
    n_examples = 2**27 + 11
    positions = minibatch_positions(1, range(4_000), 64, n_examples)
    assert positions.min() < n_examples / 1e4
    assert positions.max() > n_examples * (1 - 1e-4)
    assert set(np.unique(positions % 2)) == {0, 1}
