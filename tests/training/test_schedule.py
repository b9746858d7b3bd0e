"""Learning rates and minibatches as functions of the step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handgrad.training.config import TrainConfig
from handgrad.training.epochs import epoch_positions, permuted
from handgrad.training.schedule import Leg, Schedule, examples_of, linear_decay, minibatch_positions, step_decay

any_batch = st.tuples(st.integers(0, 2**63 - 1), st.integers(1, 70), st.integers(1, 2**32))
EITHER = pytest.mark.parametrize("draw", [minibatch_positions, epoch_positions])


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 11, 200_000])
def test_the_second_half_of_the_steps_takes_a_tenth(steps):
    rates = [step_decay(step, steps, 0.1) for step in range(steps)]
    assert rates == [0.1] * -(-steps // 2) + [0.1 / 10] * (steps // 2)


@pytest.mark.parametrize("steps", [1, 7, 1_000])
def test_without_warm_up_the_rate_falls_from_the_first_step_on(steps):
    rates = [Schedule.planned(TrainConfig(steps=steps, lr=0.3, warmup=0.0)).rate(step) for step in range(steps)]
    assert rates == [linear_decay(step, steps, 0.3) for step in range(steps)]
    assert rates[0] == 0.3


def test_the_rate_rises_for_its_share_of_the_steps_and_falls_to_0():
    rates = [Schedule.planned(TrainConfig(steps=100, lr=0.4, warmup=0.2)).rate(step) for step in range(101)]
    assert rates[:20] == pytest.approx(np.arange(1, 21) / 20 * 0.4)
    assert rates[20:] == pytest.approx(np.arange(80, -1, -1) / 80 * 0.4)
    assert max(rates) == 0.4
    plain = TrainConfig(steps=100, optimizer="sgd", lr=0.4, warmup=0.2)
    assert [Schedule.planned(plain).rate(step) for step in (0, 99)] == [0.4, 0.4 / 10]
    assert [Schedule.planned(TrainConfig(steps=2, lr=0.4, warmup=0.99)).rate(step) for step in (0, 1)] == [0.2, 0.4]


def test_a_run_goes_on_from_its_end_by_a_warm_restart():
    schedule = Schedule.planned(TrainConfig(steps=100, lr=0.4, warmup=0.2)).until(100, 150)
    assert (schedule.stop, schedule.rate(99)) == (150, pytest.approx(0.4 / 80))
    assert [schedule.rate(step) for step in (100, 109, 110, 130)] == pytest.approx([0.02, 0.2, 0.2, 0.1])
    assert [schedule.rate(step) for step in range(100)] == [
        Schedule.planned(TrainConfig(steps=100, lr=0.4, warmup=0.2)).rate(step) for step in range(100)
    ]


def test_a_plan_that_is_changed_goes_on_without_a_leap():
    schedule = Schedule.planned(TrainConfig(steps=100, lr=0.4, warmup=0.2)).until(60, 200)
    assert schedule.rate(60) == Schedule.planned(TrainConfig(steps=100, lr=0.4, warmup=0.2)).rate(60)
    assert schedule.rate(130) == pytest.approx(schedule.rate(60) / 2)
    assert schedule.until(130, 130).stop == 130


def test_while_it_rises_the_end_alone_moves():
    schedule = Schedule.planned(TrainConfig(steps=100, lr=0.4, warmup=0.2)).until(5, 60)
    assert schedule.legs == (Leg(0, 60, 20, 0.4),)
    assert schedule.until(10, 15).stop == 21


def test_gradient_descent_goes_on_with_a_tenth():
    schedule = Schedule.planned(TrainConfig(steps=100, lr=0.4, optimizer="sgd")).until(60, 100)
    assert [schedule.rate(step) for step in (0, 49, 50, 60, 79, 80)] == pytest.approx(
        [0.4, 0.4, 0.04, 0.04, 0.04, 0.004]
    )


@EITHER
@given(any_batch, st.integers(0, 2**40), st.integers(0, 20), st.integers(1, 20))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_any_steps_alone_equal_all_in_order(draw, batch, first, before, n_steps):
    seed, batch_size, n_examples = batch
    steps = range(first, first + before + n_steps)
    positions = draw(seed, steps, batch_size, n_examples)
    assert positions.shape == (before + n_steps, batch_size)
    assert positions.dtype == np.int64
    assert np.array_equal(draw(seed, steps[before:], batch_size, n_examples), positions[before:])
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


@EITHER
def test_the_seed_and_the_step_matter(draw):
    one = draw(1, range(100), 8, 2**32)
    other = draw(2, range(100), 8, 2**32)
    assert len(np.unique(np.stack([one, other]))) == 1600


@EITHER
def test_ten_million_lines_have_reachable_ends(draw):
    n_examples = 2**27 + 11
    positions = draw(1, range(4_000), 64, n_examples)
    assert positions.min() < n_examples / 1e4
    assert positions.max() > n_examples * (1 - 1e-4)
    assert set(np.unique(positions % 2)) == {0, 1}


@given(any_batch, st.integers(1, 300))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_an_epoch_has_each_example_once(batch, n_examples):
    seed, batch_size, _ = batch
    epochs = epoch_positions(seed, range(n_examples), batch_size, n_examples).reshape(batch_size, n_examples)
    assert np.array_equal(np.sort(epochs, 1), np.broadcast_to(np.arange(n_examples), epochs.shape))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 63, 64, 65, 1_000, 2**16 + 1])
def test_each_key_has_a_permutation_of_its_own(n):
    keys = np.array([0, 2**63 + 5], np.uint64).repeat(n)
    one, other = permuted(np.tile(np.arange(n, dtype=np.uint64), 2), keys, n).reshape(2, n)
    assert np.array_equal(np.sort(one), np.arange(n))
    assert np.array_equal(np.sort(other), np.arange(n))
    assert n < 63 or (one == other).sum() < 10


@pytest.mark.parametrize("n", [3, 10, 101])
def test_epochs_are_shuffled_evenly(n):
    """Every example is as likely at every place, whatever came before it and wherever it stood an epoch before."""
    epochs = epoch_positions(3, range(6_000), n, n)
    first, second, freedom = epochs[:, 0], epochs[:, 1], (n - 1) ** 2
    for before, after in ((np.full(6_000, 0), first), (np.full(6_000, 0), epochs[:, -1]), (first[:-1], first[1:])):
        counts = np.bincount(before * n + after, minlength=n * n if before.any() else n)
        assert abs(chi_square(counts) - (counts.size - 1)) <= 4 * (2 * counts.size) ** 0.5
    neighbours = np.bincount(first * n + second, minlength=n * n).reshape(n, n)
    assert not neighbours.diagonal().any()
    assert abs(chi_square(neighbours[~np.eye(n, dtype=bool)]) - freedom) <= 5 * (2 * freedom) ** 0.5


def test_the_examples_of_a_run_are_drawn_as_it_says():
    def drawn(minibatches: str) -> np.ndarray:
        return examples_of(TrainConfig(seed=7, batch_size=4, minibatches=minibatches), range(3, 5), 10)

    assert np.array_equal(drawn("replacement"), minibatch_positions(7, range(3, 5), 4, 10))
    assert np.array_equal(drawn("epochs"), epoch_positions(7, range(3, 5), 4, 10))
    assert drawn("in-order").tolist() == [[2, 3, 4, 5], [6, 7, 8, 9]]
