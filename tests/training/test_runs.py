"""Several seeds at once: the same runs as one after the other, the best in front, nothing lost."""

import csv
import io
import statistics
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

import handgrad
from handgrad.errors import ConfigError, DivergedError, RunError
from handgrad.training import checkpoint, loop
from handgrad.training.checkpoint import read_settings, read_state
from handgrad.training.config import TrainConfig
from handgrad.training.loop import Every
from handgrad.training.results import read_results
from handgrad.training.run import Interrupted
from handgrad.training.schedule import Schedule

TINY = TrainConfig(steps=40, batch_size=4, block_size=2, n_embd=3, n_hidden=7, seed=5, runs=3)
RESULTS = ("state.safetensors", "model.safetensors", "history.csv", "samples.txt")
FILES = {*RESULTS, "config.json", "loss.png", "results.json"}
SHOWN = ("model.safetensors", "history.csv", "loss.png", "samples.txt")


@pytest.fixture(scope="module")
def alone(some_names, tmp_path_factory) -> Path:
    """A folder with `5`, `6` and `7`: each seed trained by itself."""
    folder = tmp_path_factory.mktemp("alone")
    for seed in TINY.seeds:
        handgrad.train(some_names, replace(TINY, seed=seed, runs=1), out=folder / str(seed))
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "runs.csv").read_text())))


def assert_as_alone(folder: Path, alone: Path) -> None:
    """Each seed's folder is what its run alone left, and the best of them is shown."""
    for seed in TINY.seeds:
        ours = folder / f"seed-{seed}"
        assert {path.name for path in ours.iterdir()} == FILES
        measured = read_results(ours)
        assert measured is not None
        assert measured.seconds > 0
        assert [name for name in RESULTS if (ours / name).read_bytes() != (alone / str(seed) / name).read_bytes()] == []
    losses = {seed: handgrad.evaluate(handgrad.load(alone / str(seed)))["val"] for seed in TINY.seeds}
    best = min(losses, key=lambda seed: losses[seed])
    assert [name for name in SHOWN if (folder / name).read_bytes() != (alone / str(best) / name).read_bytes()] == []
    assert [int(row["best"]) for row in rows(folder)] == [seed == best for seed in TINY.seeds]
    assert [float(row["val"]) for row in rows(folder)] == pytest.approx(list(losses.values()), abs=1e-6)
    assert {path.name for path in folder.iterdir()} - {"results.json"} == {
        *SHOWN, "config.json", "runs.csv", *(f"seed-{seed}" for seed in TINY.seeds)
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.one_in(6)
@pytest.mark.parametrize("threads", ["1", "2", "5"])
def test_each_run_is_the_one_its_seed_trains_alone(some_names, alone, tmp_path, monkeypatch, threads):
    monkeypatch.setenv("HANDGRAD_THREADS", threads)
    model = handgrad.train(some_names, TINY, out=tmp_path / "run")
    assert_as_alone(tmp_path / "run", alone)
    assert model.parameters["W1"].tobytes() == handgrad.load(tmp_path / "run").parameters["W1"].tobytes()


@pytest.mark.slow
def test_with_torch_too(some_names, tmp_path, monkeypatch):
    monkeypatch.setenv("HANDGRAD_THREADS", "2")
    config = replace(TINY, engine="torch", steps=15, runs=2)
    handgrad.train(some_names, config, out=tmp_path / "run")
    for seed in config.seeds:
        handgrad.train(some_names, replace(config, seed=seed, runs=1), out=tmp_path / str(seed))
        same, ours = (folder / "state.safetensors" for folder in (tmp_path / str(seed), tmp_path / f"run/seed-{seed}"))
        assert same.read_bytes() == ours.read_bytes()


@pytest.mark.parametrize("threads", ["1", "3"])
def test_they_are_trained_in_so_many_threads(some_names, tmp_path, monkeypatch, threads):
    monkeypatch.setenv("HANDGRAD_THREADS", threads)
    at_work = threading.Barrier(int(threads), timeout=30)
    names = set()

    def progress(*_):
        if threading.current_thread().name not in names:
            names.add(threading.current_thread().name)
            at_work.wait()

    handgrad.train(some_names, TINY, out=tmp_path / "run", progress=progress)
    assert len(names) == int(threads)


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("threads", ["1", "3"])
def test_stopped_by_ctrl_c_all_go_on_to_the_same_end(some_names, alone, tmp_path, monkeypatch, threads):
    monkeypatch.setenv("HANDGRAD_THREADS", threads)
    monkeypatch.setattr(loop, "SECONDS_A_CHUNK", 0)  # a step at a time
    folder = tmp_path / "run"

    all_at_20 = threading.Barrier(int(threads), timeout=30)

    def progress(report):
        step = report.step
        if step == 20 and all_at_20.wait() == 0:
            raise KeyboardInterrupt
        if step > 20:
            time.sleep(0.05)

    with pytest.raises(Interrupted, match="trained is saved; go on with 'handgrad train --resume") as interrupt:
        handgrad.train(some_names, TINY, out=folder, progress=progress)
    assert (interrupt.value.folder, interrupt.value.step) == (folder, None)
    with pytest.raises(RunError, match="no model yet"):
        handgrad.load(folder)
    begun = [path for path in folder.glob("seed-*") if (path / "config.json").exists()]
    steps = [read_state(path, read_settings(path)).step for path in begun]
    assert 20 in steps
    assert max(steps) < 40
    assert len(steps) == int(threads)
    handgrad.train(resume=folder)
    assert_as_alone(folder, alone)


@pytest.mark.slow
def test_stopped_while_it_measures_nothing_is_lost(some_names, alone, tmp_path, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    folder = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr("handgrad.training.run.sample", stopped)
        with pytest.raises(Interrupted):
            handgrad.train(some_names, TINY, out=folder)
    for seed in TINY.seeds:
        assert read_state(folder / f"seed-{seed}", read_settings(folder / f"seed-{seed}")).step == 40
    handgrad.train(resume=folder)
    assert_as_alone(folder, alone)


@pytest.mark.slow
def test_finished_runs_resumed_stay_as_they_are(some_names, tmp_path):
    handgrad.train(some_names, TINY, out=tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*.*") if path.is_file()}
    handgrad.train(resume=tmp_path / "run")
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*.*") if path.is_file()} == before
    with pytest.raises(ConfigError, match="keeps its settings"):
        handgrad.train(resume=tmp_path / "run", runs=4)


def diverges(monkeypatch, *seeds: int) -> None:
    """The runs of these seeds have a rate that none survives."""
    planned = Schedule.planned
    monkeypatch.setattr(
        Schedule,
        "planned",
        lambda config: planned(replace(config, lr=1e30, warmup=0.0) if config.seed in seeds else config),
    )


@pytest.mark.slow
def test_a_run_that_diverges_leaves_the_others_alone(some_names, alone, tmp_path, monkeypatch):
    diverges(monkeypatch, 6)
    handgrad.train(some_names, TINY, out=tmp_path / "run")
    losses = {row["seed"]: row["val"] for row in rows(tmp_path / "run")}
    assert losses["6"] == ""
    assert float(losses["5"]) == pytest.approx(handgrad.evaluate(handgrad.load(alone / "5"))["val"], abs=1e-6)
    assert not (tmp_path / "run" / "seed-6" / "model.safetensors").exists()


def test_where_all_diverge_the_first_says_why(some_names, tmp_path, monkeypatch):
    diverges(monkeypatch, *TINY.seeds)
    with pytest.raises(DivergedError, match="step 1: the loss is no longer"):
        handgrad.train(some_names, TINY, out=tmp_path / "run")
    assert not (tmp_path / "run" / "runs.csv").exists()


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_stops_all_and_the_others_are_saved(some_names, alone, tmp_path, monkeypatch):
    monkeypatch.setenv("HANDGRAD_THREADS", "3")
    write, folder = checkpoint.write, tmp_path / "run"

    def full(where, name, content):
        if where.name == "seed-6" and name != "config.json":
            raise RunError("the run folder cannot be written", where=where)
        write(where, name, content)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "write", full)
        with pytest.raises(RunError, match="seed-6: the run folder cannot be written"):
            handgrad.train(some_names, TINY, out=folder, checkpoint_every=10)
    handgrad.train(resume=folder)
    assert_as_alone(folder, alone)


@pytest.mark.slow
def test_mean_and_spread_are_those_of_the_finished_runs(some_names, tmp_path):
    from handgrad.training.run import read_text, start
    from handgrad.training.runs import finish_all, take_all_steps

    whole = start(read_text(some_names, TINY), TINY, tmp_path / "run")
    results = finish_all(whole, take_all_steps(whole, Every(steps=100)))
    losses = [outcome.losses["val"] for outcome in results.outcomes.values()]
    assert results.mean["val"] == pytest.approx(sum(losses) / 3)
    assert results.deviation["val"] == pytest.approx(statistics.stdev(losses))
