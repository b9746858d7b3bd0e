"""A run of several parts: trained one after another, mixed, gone on with."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import handgrad
from handgrad.errors import ConfigError, DivergedError, RunError
from handgrad.training import checkpoint, loop, parts
from handgrad.training.checkpoint import read_config, read_settings, read_state
from handgrad.training.plan import Plan
from handgrad.training.results import read_results
from handgrad.training.run import Interrupted
from handgrad.training.schedule import Schedule

SMALL = {"steps": 40, "n_hidden": 8, "n_embd": 4, "batch_size": 8, "seed": 3}
PARTS = ["ngram", "gru", *(f"gru-{number}" for number in range(2, 9))]
RESULTS = ("model.safetensors", "samples.txt")
OF_A_PART = ("model.safetensors", "state.safetensors", "history.csv")


@pytest.fixture(scope="module")
def run(some_names, tmp_path_factory) -> Path:
    """A finished run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("parts") / "whole"
    handgrad.train(some_names, out=folder, **SMALL)
    return folder


def assert_same(ours: Path, theirs: Path) -> None:
    assert [name for name in RESULTS if (ours / name).read_bytes() != (theirs / name).read_bytes()] == []
    for part in PARTS:
        for name in OF_A_PART:
            if (theirs / part / name).exists():
                assert (ours / part / name).read_bytes() == (theirs / part / name).read_bytes(), (part, name)


def test_each_part_has_a_run_folder_and_the_mixture_is_better_than_each(run):
    plan = read_config(run)
    assert isinstance(plan, Plan)
    assert plan.names == PARTS
    assert (plan.main.model, plan.main.n_hidden, plan.seconds) == ("gru", 8, None)
    assert [part.seed for part in plan.parts] == [3, *range(3, 11)]
    alone = {name: handgrad.evaluate(handgrad.load(run / name)) for name in plan.names}
    measured = {name: read_results(run / name) for name in plan.names}
    for name, losses in alone.items():
        assert measured[name].loss == pytest.approx(losses, abs=1e-5)
    mixed = handgrad.evaluate(handgrad.load(run))
    assert read_results(run).loss == pytest.approx(mixed, abs=1e-5)
    assert mixed["val"] <= min(losses["val"] for losses in alone.values()) + 1e-6


def test_what_is_returned_is_what_is_saved(some_names, run, tmp_path):
    model, loaded = handgrad.train(some_names, out=tmp_path / "again", **SMALL), handgrad.load(run)
    assert model.config == loaded.config
    assert model.config.name == "mix"
    assert sum(model.config.weights) == pytest.approx(1)
    assert_same(tmp_path / "again", run)
    assert handgrad.sample(model, 20, seed=3) == (run / "samples.txt").read_text().splitlines()
    assert {path.name for path in run.iterdir()} == {
        *PARTS, "config.json", "loss.png", "model.safetensors", "results.json", "samples.txt",
    }  # fmt: skip


@pytest.mark.parametrize("step", [1, 25])
def test_stopped_by_ctrl_c_it_goes_on_to_the_same_end(some_names, run, tmp_path, monkeypatch, step):
    monkeypatch.setattr(loop, "SECONDS_A_CHUNK", 0)  # a step at a time
    folder = tmp_path / "run"

    def stop(report):
        if report.step >= step:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="go on with 'handgrad train --resume") as interrupt:
        handgrad.train(some_names, out=folder, progress=stop, **SMALL)
    assert interrupt.value.folder == folder
    with pytest.raises(RunError, match="no model yet: the run was ended before its parts were mixed"):
        handgrad.load(folder)
    assert step <= read_state(folder / "gru", read_settings(folder / "gru")).step < 40
    handgrad.train(resume=folder)
    assert_same(folder, run)


@pytest.mark.slow
def test_stopped_while_it_mixes_nothing_is_lost(some_names, run, tmp_path, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(parts, "sample", stopped)
        with pytest.raises(Interrupted):
            handgrad.train(some_names, out=tmp_path / "run", **SMALL)
    handgrad.train(resume=tmp_path / "run")
    assert_same(tmp_path / "run", run)


@pytest.mark.slow
def test_it_goes_further_for_so_many_steps(some_names, run, tmp_path):
    folder = tmp_path / "run"
    handgrad.train(some_names, out=folder, **SMALL)
    handgrad.train(resume=folder, steps=25)
    state = read_state(folder / "gru", read_settings(folder / "gru"))
    assert (state.step, len(state.schedule.legs)) == (65, 2)
    before = read_state(run / "gru", read_settings(run / "gru"))
    assert state.losses[:40].tobytes() == before.losses.tobytes()
    assert (folder / "ngram" / "model.safetensors").read_bytes() == (run / "ngram" / "model.safetensors").read_bytes()
    assert read_results(folder).steps == 8 * 65


@pytest.mark.slow
def test_in_a_time_its_steps_follow_from_the_pace(some_names, tmp_path, monkeypatch):
    """The clock is ours: a step takes a hundredth of a second, all else nothing."""
    now = [0.0]
    for clock in ("time.monotonic", "handgrad.training.train.monotonic"):
        monkeypatch.setattr(clock, lambda: now[0])
    real = loop.take

    def take(state, settings, split, stop):
        now[0] += 0.01 * (stop - state.step)
        return real(state, settings, split, stop)

    monkeypatch.setattr(loop, "take", take)
    monkeypatch.setattr("handgrad.training.pace.take", take)
    handgrad.train(some_names, time=20, out=tmp_path / "run", n_hidden=8, n_embd=4, batch_size=8)
    folders = [tmp_path / "run" / part for part in PARTS[1:]]
    steps = [read_state(folder, read_settings(folder)).step for folder in folders]
    assert steps == pytest.approx([((20 - parts.MIXING_S) / 8 - 0.16) / 0.01] * 8, rel=0.1)
    assert 18 <= now[0] + parts.MIXING_S <= 20


def test_one_that_diverges_leaves_its_name_free(some_names, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Schedule, "rate", lambda *_: 1e30)
        with pytest.raises(DivergedError, match="no longer a finite number"):
            handgrad.train(some_names, out=tmp_path / "run", **SMALL)
    handgrad.train(some_names, out=tmp_path / "run", **SMALL)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda plan: plan.pop("parts"), "'parts'"),
        (lambda plan: plan.update(shares=[1]), "a plan has parts"),
        (lambda plan: plan.update(seconds=-1), "shares or seconds make no sense"),
        (lambda plan: plan.update(parts=[{"model": "rwkv"}] * 2), "model is unknown"),
        (lambda plan: plan.update(why=7), "a plan has parts"),
    ],
)
def test_a_damaged_config_is_refused(run, tmp_path, change, says):
    content = json.loads((run / "config.json").read_text())
    change(content["plan"])
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(RunError, match=rf"config.json is damaged .*{says}"):
        handgrad.load(tmp_path)


def test_a_mixture_of_runs_takes_its_parts(some_names, run, tmp_path):
    handgrad.train(some_names, model="bigram", steps=30, batch_size=8, lr=0.5, out=tmp_path / "bigram")
    model = handgrad.mix([run, tmp_path / "bigram"], out=tmp_path / "mixture")
    assert {part.name for part in model.config.parts} <= {"ngram", "gru", "bigram"}
    assert "ngram" in {part.name for part in model.config.parts}


def test_a_folder_of_several_parts_without_weights_is_damaged(run, tmp_path):
    from safetensors.numpy import load_file, save_file

    tensors = load_file(run / "model.safetensors")
    (tmp_path / "config.json").write_bytes((run / "config.json").read_bytes())
    for weights in (None, np.array([0.5]), np.array([0.5, 0.7]), np.array([np.nan, 1.0])):
        rest = {name: value for name, value in tensors.items() if name != "weights"}
        save_file(rest if weights is None else {**rest, "weights": weights}, tmp_path / "model.safetensors")
        with pytest.raises(RunError, match=r"model.safetensors is damaged"):
            handgrad.load(tmp_path)


def test_names_of_parts_are_told_apart(run):
    plan = read_config(run)
    assert isinstance(plan, Plan)
    twice = replace(plan, parts=(*plan.parts[:2], plan.parts[0]), shares=(0.0, 1.0, 0.0))
    assert twice.names == ["ngram", "gru", "ngram-2"]


@pytest.mark.parametrize("settings", [{}, {"runs": 2}, {"runs": 2, "model": "gru"}])
def test_a_run_folder_that_vanishes_before_a_part_of_it_is_not_made_again(some_names, tmp_path, monkeypatch, settings):
    folder = tmp_path / "runs" / "gone"
    create = checkpoint.create

    def create_and_vanish(made: Path, *args: object) -> None:
        create(made, *args)
        if made == folder:
            shutil.rmtree(folder.parent)

    monkeypatch.setattr(checkpoint, "create", create_and_vanish)
    with pytest.raises(RunError, match=r"cannot be written .*got No such file"):
        handgrad.train(some_names, out=folder, **SMALL, **settings)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"steps": -3}, r"steps makes no sense .got -3, expected 1 to"),
        ({"steps": "5"}, "steps makes no sense"),
        ({"steps": 5, "time": 3}, "time and steps both say how long"),
        ({"text": 3}, r"text is of a wrong type .got 3, expected a path"),
        ({"config": "fast"}, "config is of a wrong type .got 'fast', expected a TrainConfig"),
        ({"progress": 1}, "progress is of a wrong type .got 1, expected True, False, or a function"),
    ],
)
def test_what_makes_no_sense_leaves_a_run_as_it_was(run, arguments, says):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError, match=says):
        handgrad.train(resume=run, **arguments)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_what_is_counted_goes_no_further(some_names, tmp_path):
    handgrad.train(some_names, model="ngram", out=tmp_path / "counted")
    for further in ({"steps": 3}, {"time": 3}):
        with pytest.raises(ConfigError, match="the ngram is counted, not trained, and goes no further"):
            handgrad.train(resume=tmp_path / "counted", **further)
