"""The validation loss while a run trains: which state is kept, and when it stops."""

import csv
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import handgrad
from handgrad.data.dataset import Dataset
from handgrad.evaluation import mean_loss
from handgrad.training.checkpoint import read_settings, read_state
from handgrad.training.config import TrainConfig
from handgrad.training.results import read_results
from handgrad.training.run import Interrupted, read_text
from handgrad.training.state import Settings, initial_state
from handgrad.training.validation import PATIENCE, TIMES, TOKENS, WORSE, gap, head, only_gets_worse, validated

OVERFITS = TrainConfig.of("gru", steps=1_500, n_embd=16, n_hidden=64, batch_size=16, lr=0.02, dropout=0.0, seed=2)


@pytest.fixture(scope="module")
def run(some_names, tmp_path_factory):
    """A run that learns its text by heart."""
    folder = tmp_path_factory.mktemp("overfit") / "run"
    handgrad.train(some_names, OVERFITS, out=folder)
    return folder


def test_training_stops_where_it_only_gets_worse_and_the_best_is_kept(run):
    state, model = read_state(run, read_settings(run)), handgrad.load(run)
    step, parameters = state.kept
    losses = state.validations[:, 1]
    assert state.is_done
    assert step < state.step < OVERFITS.steps
    assert only_gets_worse(losses)
    assert not only_gets_worse(losses[:-1])
    assert (model.steps, read_results(run).best_step) == (step, step)
    assert all(np.array_equal(model.parameters[name], value) for name, value in parameters.items())
    validation = model.text.split(model.text.read()).val
    assert mean_loss(model, validation) == pytest.approx(losses.min(), abs=1e-6)
    assert losses[-1] > losses.min() + WORSE


def test_what_was_measured_stands_in_the_history(run):
    state = read_state(run, read_settings(run))
    with (run / "history.csv").open() as file:
        rows = {int(row["step"]): row["val_loss"] for row in csv.DictReader(file)}
    measured = {int(step): f"{loss:.6f}" for step, loss in state.validations}
    assert {step: loss for step, loss in rows.items() if loss} == measured
    assert [int(step) for step in state.validations[:, 0]] == [
        75 * number for number in range(1, len(state.validations) + 1)
    ]


@pytest.mark.parametrize("step", [75, 100])
def test_a_resumed_run_measures_keeps_and_stops_as_if_nothing_had_happened(some_names, run, tmp_path, step):
    def stop(report):
        if report.step >= step:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        handgrad.train(some_names, OVERFITS, out=tmp_path / "run", progress=stop)
    handgrad.train(resume=tmp_path / "run")
    for name in ("state.safetensors", "model.safetensors", "history.csv", "samples.txt"):
        assert (tmp_path / "run" / name).read_bytes() == (run / name).read_bytes(), name


def test_the_last_state_is_kept_where_that_is_wanted(some_names, tmp_path):
    handgrad.train(some_names, OVERFITS, keep="last", steps=300, out=tmp_path / "run")
    state = read_state(tmp_path / "run", read_settings(tmp_path / "run"))
    assert (state.step, state.best, len(state.validations) > 0) == (300, {}, True)
    assert handgrad.load(tmp_path / "run").steps == 300


def test_one_that_stopped_goes_on_from_its_best(some_names, run, tmp_path):
    handgrad.train(some_names, OVERFITS, out=tmp_path / "run")
    before = read_state(run, read_settings(run))
    handgrad.train(resume=tmp_path / "run", steps=1)
    after = read_state(tmp_path / "run", read_settings(tmp_path / "run"))
    assert after.step == before.step + 1
    distance = [np.abs(after.parameters[name] - value).max() for name, value in before.best.items()]
    assert max(distance) <= OVERFITS.lr
    assert any(np.abs(before.parameters[name] - value).max() > OVERFITS.lr for name, value in before.best.items())


def settings_of(text, config: TrainConfig) -> tuple[Settings, object]:
    read = read_text(text, config)
    return Settings(config, read.corpus.vocabulary, read.reference), read.splits


@pytest.mark.parametrize(("steps", "times"), [(1, 1), (20, 1), (1_000, TIMES), (100_000, TIMES)])
def test_it_is_measured_so_often_that_it_costs_little(some_names, steps, times):
    settings, splits = settings_of(some_names, replace(OVERFITS, steps=steps, batch_size=2))
    every = gap(settings, splits)
    assert -(-steps // every) == times
    trained = steps * 2 * len(splits.train) / splits.train.n_lines
    assert times == 1 or times * len(splits.val) <= trained / 3


def test_a_loss_that_is_no_number_is_never_the_best(some_names):
    settings, splits = settings_of(some_names, OVERFITS)
    state = validated(initial_state(settings), settings, splits)
    assert state.kept[0] == 0
    broken = {name: np.full_like(value, np.nan) for name, value in state.parameters.items()}
    after = validated(replace(state, step=9, parameters=broken), settings, splits)
    assert after.validations[:, 1].tolist() == [state.validations[0, 1], math.inf]
    assert after.kept == state.kept
    none = validated(replace(initial_state(settings), parameters=broken), settings, splits)
    assert none.best == {}


def test_one_that_goes_on_behind_its_end_has_all_its_patience_once_it_is_at_its_greatest_rate(some_names):
    settings, splits = settings_of(some_names, OVERFITS)
    state = initial_state(settings)
    schedule = state.schedule.until(1_500, 3_000)
    assert (schedule.risen_again, schedule.rate(1_649)) == (1_650, OVERFITS.lr / 2)
    losses = np.linspace(0.1, 0.9, PATIENCE + 3)
    for first, ends in ((1_580, False), (1_700, True)):
        measured = np.column_stack([first + np.arange(len(losses)), losses])
        behind = replace(state, step=2_000, schedule=schedule, validations=measured)
        assert validated(behind, settings, splits).is_done == ends


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=30))
def test_it_stops_only_after_it_has_been_patient(losses):
    stops = only_gets_worse(np.array(losses))
    best = losses.index(min(losses))
    assert stops == (len(losses) - 1 - best >= PATIENCE and losses[-1] > min(losses) + WORSE)


@given(st.lists(st.lists(st.integers(1, 5), max_size=6), min_size=1, max_size=20), st.integers(1, 60))
def test_the_head_of_a_dataset_is_whole_lines(lines, n_tokens):
    dataset = Dataset(np.array([token for line in lines for token in (*line, 0)]))
    part = head(dataset, n_tokens)
    assert np.array_equal(part.tokens, dataset.tokens[: len(part)])
    assert part.n_lines == 1 or len(part) <= n_tokens
    rest = dataset.tokens[len(part) :]
    assert not len(rest) or len(part) + 1 + int(np.argmin(rest)) > n_tokens
    assert len(head(dataset, TOKENS)) == len(dataset)
