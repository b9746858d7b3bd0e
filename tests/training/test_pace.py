"""The number of steps that fit into a time."""

from types import SimpleNamespace

import pytest

from handgrad.errors import ConfigError
from handgrad.training import pace
from handgrad.training.config import TrainConfig
from handgrad.training.duration import seconds_of
from handgrad.training.schedule import Schedule
from handgrad.training.state import State


def state_at(step: int, schedule: Schedule) -> State:
    return State(step, {}, {}, SimpleNamespace(), schedule, SimpleNamespace(), {})  # type: ignore[arg-type]


def trained(monkeypatch, planned: int, seconds: float, a_step, most: int = 10**6) -> tuple[Schedule, float]:
    """The schedule of a run, and when it ends, if step k takes a_step(k) seconds."""
    now = [100.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    schedule = Schedule.planned(TrainConfig(steps=planned, lr=0.5, warmup=0.1))
    pacer, state = pace.Pacer(100 + seconds, 0, most), state_at(0, schedule)
    while state.step < state.schedule.stop:
        now[0] += a_step(state.step)
        state = pacer.adjusted(state_at(state.step + 1, state.schedule))
    return state.schedule, now[0] - 100


@pytest.mark.parametrize("planned", [300, 1_000, 3_000])
def test_a_plan_that_is_wrong_is_mended_in_time(monkeypatch, planned):
    schedule, seconds = trained(monkeypatch, planned, 10, lambda _: 0.01)
    assert seconds == pytest.approx(10, rel=0.05)
    assert schedule.stop == pytest.approx(1_000, rel=0.05)
    assert schedule.rate(schedule.stop - 1) < 0.02
    assert max(schedule.rate(step) for step in range(schedule.stop)) == pytest.approx(0.5)


def test_a_machine_that_gets_slow_is_followed(monkeypatch):
    _, seconds = trained(monkeypatch, 1_000, 10, lambda step: 0.01 if step < 400 else 0.02)
    assert seconds == pytest.approx(10, rel=0.1)


def test_a_plan_that_is_right_stays(monkeypatch):
    schedule, _ = trained(monkeypatch, 1_000, 10, lambda _: 0.01)
    assert schedule.legs == Schedule.planned(TrainConfig(steps=1_000, lr=0.5, warmup=0.1)).legs


@pytest.mark.parametrize(("most", "seconds"), [(200, 10), (20, 0.25)])
def test_more_steps_than_pay_are_not_taken(monkeypatch, most, seconds):
    schedule, taken = trained(monkeypatch, most, seconds, lambda _: 0.01, most=most)
    assert (schedule.stop, taken) == (most, pytest.approx(0.01 * most))


def test_a_few_steps_are_taken_however_little_time_there_is(monkeypatch):
    assert trained(monkeypatch, 400, 0.1, lambda _: 0.01)[0].stop == pace.LEAST


@pytest.mark.parametrize(
    ("text", "seconds"), [("12s", 12), ("1m", 60), ("1.5h", 5_400), (7, 7), (0.5, 0.5), (" 2 min ", 120), ("9", 9)]
)
def test_times_are_read(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "0", "0s", "-3s", "nan", "inf", "1d", "1m30s", "12 s s", True, "1e400h"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ConfigError, match=r"time makes no sense .*12s, or 5m, or 1h"):
        seconds_of(text)
