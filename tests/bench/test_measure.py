"""Rounds, ratios, and rivals that compute something else, which are not timed."""

import time

import numpy as np
import pytest

from handgrad import ctrl_c
from handgrad.bench.measure import Measurement, Round, choose_clock, operations
from handgrad.bench.rivals import engine
from handgrad.bench.shapes import Shape

SMALL = Shape(8, 6, 2, 3)


def changed(change):
    """A rival that differs from the engine by `change`, which gets the parameters before and after the steps."""

    def rival(problem):
        return lambda n: change(problem.parameters, engine(problem)(n))

    return rival


MISTAKES = {
    "one step too few": lambda problem: lambda n: engine(problem)(n - 1),
    "no step at all": lambda problem: lambda _: problem.parameters,
    "another rate": changed(lambda before, after: {k: before[k] + 1.01 * (after[k] - before[k]) for k in after}),
    "one parameter left alone": changed(lambda before, after: {**after, "bngain": before["bngain"]}),
    "one element wrong": changed(lambda _, after: {**after, "W2": after["W2"] + 1e-3 * np.eye(6, 27)}),
    "not a number": changed(lambda _, after: {**after, "b2": after["b2"] * np.nan}),
}
ROUNDED = changed(lambda _, after: {k: value * np.float32(1 + 2e-7) for k, value in after.items()})


@pytest.mark.slow
@pytest.mark.one_in(6)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_computes_something_else_is_not_timed(mistake):
    measurement = Measurement(SMALL)
    measurement.run(1, rivals={"engine": engine, "rounded": ROUNDED, "wrong": MISTAKES[mistake]})
    assert list(measurement.done[0].times_us) == ["engine", "rounded"]
    assert measurement.not_measured["wrong"].startswith("does not compute the same: after 8 steps ")
    assert measurement.summary()["not_measured"] == measurement.not_measured


def test_a_rival_that_fails_costs_no_other():
    def broken(_):
        raise RuntimeError("no room\nand more that no one wants to read")

    def missing(_):
        raise ModuleNotFoundError("No module named 'jax'", name="jax")

    measurement = Measurement(SMALL)
    measurement.run(2, rivals={"engine": engine, "broken": broken, "missing": missing, "rounded": ROUNDED})
    assert [list(a_round.times_us) for a_round in measurement.done] == [["engine", "rounded"]] * 2
    assert measurement.not_measured == {
        "broken": "fails here, RuntimeError: no room",
        "missing": "jax is not installed; pip install jax",
    }


def test_ratios_are_taken_within_a_round():
    times = [(0.5, 1.0, 10.0), (1.0, 2.0, 24.0), (1.0, 4.0, 44.0)]
    rounds = [Round(floor, {"engine": engine, "slow": slow}) for floor, engine, slow in times]
    summary = Measurement(SMALL, done=rounds).summary()
    own, slow = summary["rows"]
    assert own["us"] == {"median": 2.0, "q1": 1.5, "q3": 3.0}
    assert own["times_engine"] == {"median": 1.0, "q1": 1.0, "q3": 1.0}
    assert slow["times_engine"] == {"median": 11.0, "q1": 10.5, "q3": 11.5}
    assert slow["times_floor"]["median"] == 24.0
    assert (summary["floor_us"]["median"], summary["rounds"]) == (1.0, 3)


def test_the_time_is_that_of_one_step():
    def sleepy(problem):
        steps = engine(problem)

        def take(n):
            time.sleep(n * 0.002)
            return steps(n)

        return take

    measurement = Measurement(SMALL, "perf_counter")
    measurement.run(1, rivals={"engine": engine, "sleepy": sleepy})
    assert measurement.done[0].times_us["sleepy"] >= 2000
    assert measurement.done[0].times_us["engine"] < 1000


def test_a_ctrl_c_whose_exception_was_lost_ends_it(monkeypatch):
    monkeypatch.setattr(ctrl_c, "pressed", True)
    with pytest.raises(KeyboardInterrupt):
        Measurement(SMALL).run(1, rivals={"engine": engine})


def test_the_operations_are_those_of_six_products():
    n, hidden, block_size, n_embd, vocab_size = 7, 11, 4, 2, 27
    products = [(n, block_size * n_embd, hidden), (n, hidden, vocab_size)]
    assert operations(Shape(n, hidden, block_size, n_embd)) == 3 * sum(2 * a * b * c for a, b, c in products)


def test_several_threads_are_timed_on_the_wall():
    assert choose_clock(2) == "perf_counter"
    assert getattr(time, choose_clock(1))() > 0
