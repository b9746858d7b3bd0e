"""`handgrad.train` and what it leaves, interrupted or not."""

import re
from pathlib import Path

import numpy as np
import pytest

import handgrad
from handgrad.errors import ConfigError, CorpusError, DivergedError, HandgradError, RunError
from handgrad.training.checkpoint import read_settings, read_state
from handgrad.training.config import TrainConfig
from handgrad.training.run import Interrupted
from handgrad.training.schedule import Schedule

TINY = TrainConfig(steps=40, batch_size=4, block_size=2, n_embd=3, n_hidden=7, seed=5, keep="last")
RESULTS = ("state.safetensors", "model.safetensors", "history.csv", "samples.txt")
FILES = {*RESULTS, "config.json", "loss.png", "results.json"}


@pytest.fixture(scope="module")
def run(some_names, tmp_path_factory) -> Path:
    """A finished run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    handgrad.train(some_names, TINY, out=folder)
    return folder


def assert_same_results(folder: Path, run: Path) -> None:
    assert [name for name in RESULTS if (folder / name).read_bytes() != (run / name).read_bytes()] == []


def stop_after(step: int):
    """A progress that is stopped by Ctrl-C once so many steps are done."""

    def progress(report):
        if report.step >= step:
            raise KeyboardInterrupt

    return progress


def test_the_run_folder_has_what_it_should(run):
    assert {path.name for path in run.iterdir()} == FILES
    assert len((run / "history.csv").read_text().splitlines()) == 41
    assert len((run / "samples.txt").read_text().splitlines()) == 20
    assert (run / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_the_model_returned_is_the_one_saved(some_names, run, tmp_path):
    model, loaded = handgrad.train(some_names, TINY, out=tmp_path / "run"), handgrad.load(run)
    assert (model.config, model.vocabulary, model.text, model.steps) == (
        loaded.config, loaded.vocabulary, loaded.text, 40,
    )  # fmt: skip
    for name, value in {**model.parameters, **model.buffers}.items():
        assert value.tobytes() == {**loaded.parameters, **loaded.buffers}[name].tobytes()


def test_the_samples_are_those_of_the_runs_seed(run):
    assert (run / "samples.txt").read_text().splitlines() == handgrad.sample(handgrad.load(run), 20, seed=TINY.seed)


def test_settings_may_be_given_one_by_one(some_names, tmp_path):
    model = handgrad.train(some_names, TINY, n_hidden=4, steps=3, out=tmp_path / "run")
    assert (model.config.n_hidden, model.config.n_embd, model.steps) == (4, 3, 3)


@pytest.mark.parametrize("every", [7, "30", "0.001s", "1000s"], ids=repr)
def test_how_often_it_is_saved_changes_nothing(some_names, run, tmp_path, every):
    handgrad.train(some_names, TINY, out=tmp_path / "run", checkpoint_every=every)
    assert_same_results(tmp_path / "run", run)


@pytest.mark.parametrize("step", [1, 20, 40])
def test_stopped_by_ctrl_c_it_goes_on_to_the_same_end(some_names, run, tmp_path, step):
    folder = tmp_path / "run"
    with pytest.raises(Interrupted) as interrupt:
        handgrad.train(some_names, TINY, out=folder, progress=stop_after(step))
    assert isinstance(interrupt.value, KeyboardInterrupt)
    saved = read_state(folder, read_settings(folder)).step
    assert saved == interrupt.value.step >= step
    assert handgrad.load(folder).steps == saved
    (folder / ".model.safetensors.99.tmp").write_bytes(b"half")
    model = handgrad.train(resume=folder)
    assert model.steps == 40
    assert {path.name for path in folder.iterdir()} == FILES
    assert_same_results(folder, run)


def test_a_finished_run_can_be_resumed_and_stays_as_it_is(run):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    handgrad.train(resume=run)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_a_resumed_run_keeps_its_settings(run, tmp_path):
    for options in ({"config": TINY}, {"n_hidden": 5}, {"runs": 2}, {"out": tmp_path / "other"}):
        with pytest.raises(ConfigError, match="a resumed run keeps its settings"):
            handgrad.train(resume=run, **options)


def test_the_text_may_have_moved_but_not_changed(some_names, run, tmp_path):
    folder = tmp_path / "run"
    text = tmp_path / "text"
    text.write_bytes(some_names.read_bytes())
    with pytest.raises(Interrupted):
        handgrad.train(text, TINY, out=folder, progress=stop_after(20))
    moved = text.rename(tmp_path / "moved")
    with pytest.raises(HandgradError, match=re.escape(str(text))):
        handgrad.train(resume=folder)
    moved.write_bytes(some_names.read_bytes() + b"zoe\n")
    with pytest.raises(CorpusError, match="not the text the model was trained on"):
        handgrad.train(moved, resume=folder)
    moved.write_bytes(some_names.read_bytes())
    model = handgrad.train(moved, resume=folder)
    assert model.parameters["W1"].tobytes() == handgrad.load(run).parameters["W1"].tobytes()


def test_progress_tells_every_step_once(some_names, tmp_path):
    seen, losses = [], []

    def progress(report):
        seen.append(report.step)
        losses.extend(report.losses)

    handgrad.train(some_names, TINY, out=tmp_path / "run", progress=progress)
    state = read_state(tmp_path / "run", read_settings(tmp_path / "run"))
    assert seen == sorted(set(seen))
    assert seen[-1] == 40
    assert np.array_equal(losses, state.losses)
    assert np.mean(losses[-10:]) < np.mean(losses[:10])


def test_a_run_that_diverges_keeps_its_last_good_checkpoint(some_names, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    monkeypatch.setattr(Schedule, "rate", lambda _, step: 0.1 if step < 20 else 1e30)
    with pytest.raises(
        DivergedError, match=r"step 21: the loss is no longer .*got nan.* rate 0\.006 is likely too high"
    ):
        handgrad.train(some_names, TINY, out=folder, checkpoint_every=5)
    assert not folder.exists()
    folder = tmp_path / "run-diverged"
    state = read_state(folder, read_settings(folder))
    assert state.step == 20
    assert np.isfinite(state.losses[:20]).all()
    model = handgrad.load(folder)
    assert model.steps == 20
    assert all(np.isfinite(value).all() for value in (*model.parameters.values(), *model.buffers.values()))


def test_runs_are_named_after_the_text_and_the_time(some_names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        handgrad.train(some_names, TINY, steps=1)
    names = [path.name for path in Path("runs").iterdir()]
    assert len(names) == 2
    assert all(re.fullmatch(r"names-\d{4}-\d\d-\d\d-\d{6}(-2)?", name) for name in names)


def test_a_folder_in_use_and_a_text_that_is_missing_are_refused(some_names, run, tmp_path):
    with pytest.raises(RunError, match="something here already"):
        handgrad.train(some_names, TINY, out=run)
    with pytest.raises(CorpusError, match="no such file"):
        handgrad.train(tmp_path / "nothing", TINY, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
