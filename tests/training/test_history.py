"""The loss over the steps, as a table and as a picture."""

import csv
import io
from collections.abc import Sequence

import matplotlib.image
import numpy as np
import pytest

from handgrad.training.config import TrainConfig
from handgrad.training.history import HistoryRow, summarise, to_csv
from handgrad.training.listing import Curve
from handgrad.training.overlay import Shown, overlay
from handgrad.training.plot import loss_curve
from handgrad.training.schedule import Schedule
from handgrad.training.state import State


def state_of(losses: np.ndarray, config: TrainConfig, validations: Sequence[tuple[int, float]] = ()) -> State:
    """How far a run has come that has had these losses."""
    measured = np.array(validations, np.float64).reshape(-1, 2)
    return State(len(losses), {}, {}, losses, Schedule.planned(config), measured, {})


def test_each_row_is_the_mean_of_a_window():
    config = TrainConfig(steps=2_000, optimizer="sgd", lr=0.5)
    losses = np.random.default_rng(0).uniform(1, 4, 2_000).astype(np.float32)
    rows = summarise(state_of(losses, config), 200)
    assert len(rows) == 200
    for number, row in enumerate(rows):
        window = losses[10 * number : 10 * number + 10].astype(np.float64)
        assert row.step == 10 * number + 10
        assert row.loss == pytest.approx(window.mean(), rel=1e-12)
        assert row.log10_loss == pytest.approx(np.log10(window).mean(), rel=1e-12)
        assert row.lr == (0.5 if number < 100 else 0.05)


def test_the_windows_of_the_lecture_are_a_thousand_steps():
    rows = summarise(state_of(np.full(200_000, 10, np.float32), TrainConfig(steps=200_000)), 200)
    assert [row.step for row in rows] == list(range(1_000, 201_000, 1_000))
    assert {row.log10_loss for row in rows} == {1.0}


def test_a_run_that_has_not_ended_shows_its_last_window_in_part():
    config = TrainConfig(steps=2_000)
    assert [row.step for row in summarise(state_of(np.ones(25, np.float32), config), 200)] == [10, 20, 25]
    assert summarise(state_of(np.ones(0, np.float32), config), 200) == []


@pytest.mark.parametrize("steps", [1, 3, 199, 201, 399])
def test_few_steps_have_a_row_each(steps):
    assert [row.step for row in summarise(state_of(np.ones(steps, np.float32), TrainConfig(steps=steps)), 200)] == [
        *range(1, steps + 1)
    ]


def test_a_window_ends_where_the_validation_loss_was_measured():
    state = state_of(np.arange(100, dtype=np.float32), TrainConfig(steps=2_000), [(32, 2.5), (64, 2.25)])
    rows = summarise(state, 200)
    assert [row.step for row in rows] == [10, 20, 32, 40, 50, 64, 70, 80, 90, 100]
    assert {row.step: row.val_loss for row in rows if row.val_loss} == {32: 2.5, 64: 2.25}
    assert [row.loss for row in rows[:3]] == [4.5, 14.5, 25.5]


def test_the_table_can_be_read_back():
    text = to_csv([HistoryRow(10, 2.5, 0.397940009, 0.1, None), HistoryRow(20, 2.25, 0.352182518, 0.01, 2.31)]).decode()
    assert list(csv.DictReader(io.StringIO(text))) == [
        {"step": "10", "loss": "2.500000", "log10_loss": "0.397940", "lr": "0.1", "val_loss": ""},
        {"step": "20", "loss": "2.250000", "log10_loss": "0.352183", "lr": "0.01", "val_loss": "2.310000"},
    ]


def picture(steps: int) -> np.ndarray:
    losses = np.linspace(3.3, 2.1, steps, dtype=np.float32)
    png = loss_curve(summarise(state_of(losses, TrainConfig(steps=steps)), 200), "a title of one's own")
    return matplotlib.image.imread(io.BytesIO(png), format="png")[..., :3]


@pytest.mark.parametrize("steps", [2, 400])
def test_the_picture_is_a_png_with_a_curve_from_side_to_side(steps):
    image = picture(steps)
    assert image.shape == (540, 960, 3)
    blue = np.abs(image - np.array([0x1F, 0x6F, 0xEB]) / 255).max(2) < 0.02
    assert blue.any(0).sum() > 700


@pytest.mark.slow
def test_one_step_has_a_picture_too():
    assert len(np.unique(picture(1).reshape(-1, 3), axis=0)) > 1


def test_a_text_of_any_name_has_a_picture():
    rows = summarise(state_of(np.linspace(3.3, 2.1, 9, dtype=np.float32), TrainConfig(steps=9)), 200)
    shown = [Shown("名前 $x^{$", Curve([1, 2], [3.0, 2.5], validation=True), 2.5)]
    for png in (loss_curve(rows, "名前 $x^{$ 👍"), overlay(shown, "名前 $x^{$")):
        assert png.startswith(b"\x89PNG")
