"""A run killed at any moment can be gone on with, and ends as if nothing had happened."""

import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

import handgrad
from handgrad.errors import RunError
from handgrad.training import checkpoint
from handgrad.training.run import reopen

from .tiny import TINY, tiny

SETTINGS = {"model": "mlp", "steps": 600, "n_hidden": 16, "batch_size": 8}
THE_OTHERS = sorted(TINY.keys() - {"gru"})
RESULTS = ("model.safetensors", "state.safetensors", "history.csv", "samples.txt")
ON_UNIX = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_same(ours: dict[str, bytes], whole: dict[str, bytes]) -> None:
    """Two run folders hold the same files, those that show no time bit for bit."""
    assert ours.keys() == whole.keys()
    assert [name for name in RESULTS if ours[name] != whole[name]] == []


def steps_saved(folder: Path) -> int:
    """The steps that the run folder holds; that all in it can be read is checked on the way."""
    if not (folder / "config.json").exists():
        return -1
    try:
        handgrad.load(folder)
    except RunError as error:
        assert "no model yet" in str(error)  # noqa: PT017
    return checkpoint.read_state(folder, checkpoint.read_settings(folder)).step


class Server:
    """Starts `handgrad.train` in processes of its own that have imported everything already."""

    def __init__(self, text: Path):
        self.text = text
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload([
            "torch", "handgrad.training.train", "handgrad.models.mlp", "safetensors.numpy", "matplotlib.figure",
            "matplotlib.backends.backend_agg",
        ])  # fmt: skip
        warm_up = self.context.Process(target=int)
        warm_up.start()
        warm_up.join()

    def start(self, folder: Path, every: int = 60, **settings):
        begun = (folder / "config.json").exists()
        options = {"resume": folder} if begun else {"text": self.text, "out": folder, **(settings or SETTINGS)}
        process = self.context.Process(target=handgrad.train, kwargs={**options, "checkpoint_every": every})
        process.start()
        return process

    def finish(self, folder: Path, **settings) -> float:
        begun = time.monotonic()
        process = self.start(folder, **settings)
        process.join()
        assert process.exitcode == 0
        return time.monotonic() - begun


@pytest.fixture(scope="module")
def server(some_names) -> Server:
    return Server(some_names)


@pytest.fixture(scope="module")
def uninterrupted(server, tmp_path_factory) -> tuple[dict[str, bytes], float]:
    """The files of a run that nothing disturbed, and how long it took."""
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    seconds = server.finish(folder)
    return files(folder), seconds


@pytest.mark.slow
@ON_UNIX
def test_killed_again_and_again_at_any_moment(server, uninterrupted, tmp_path):
    whole, seconds = uninterrupted
    moments = random.Random(1)
    run, kills, step = 1, 0, -1
    while kills < 12:
        process = server.start(tmp_path / str(run))
        process.join(moments.uniform(0, seconds))
        if process.is_alive():
            process.kill()
            process.join()
            kills += 1
            before, step = step, steps_saved(tmp_path / str(run))
            assert step >= before
        else:
            assert_same(files(tmp_path / str(run)), whole)
            run, step = run + 1, -1
    server.finish(tmp_path / str(run))
    assert_same(files(tmp_path / str(run)), whole)


@pytest.mark.slow
@pytest.mark.one_in(len(TINY))
@pytest.mark.parametrize("name", ["gru", *THE_OTHERS])
@ON_UNIX
def test_a_run_of_each_family_killed_three_times_ends_as_if_nothing_had_happened(server, tmp_path, name):
    settings = asdict(tiny(name, engine="auto", steps=400))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    server.finish(whole, **settings)
    step = -1
    for _ in range(3):
        process = server.start(cut, every=5, **settings)
        while process.is_alive() and steps_saved(cut) <= max(step, 0):
            process.join(0.005)
        assert process.is_alive(), "it ended before it could be killed"
        process.kill()
        process.join()
        step = steps_saved(cut)
        assert step < 400
    server.finish(cut)
    assert_same(files(cut), files(whole))


@pytest.mark.slow
@ON_UNIX
def test_a_run_of_several_parts_killed_again_and_again_ends_as_if_nothing_had_happened(server, tmp_path):
    settings = {"steps": 200, "n_hidden": 16, "batch_size": 8}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    seconds, moments, kills = server.finish(whole, **settings), random.Random(2), 0
    while kills < 6:
        process = server.start(cut, every=20, **settings)
        process.join(moments.uniform(0.1, 0.4) * seconds)
        if not process.is_alive():
            break
        process.kill()
        process.join()
        kills += 1
    assert kills > 2
    server.finish(cut, **settings)
    of_parts = [path.relative_to(whole) for path in whole.glob("*/*") if path.name in RESULTS]
    assert len(of_parts) > 20
    for name in (*of_parts, "model.safetensors", "samples.txt"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.slow
@ON_UNIX
def test_the_command_killed_at_each_stage(uninterrupted, some_names, tmp_path):
    """As its user would: `handgrad train`, `kill -9`, `handgrad train --resume`."""
    whole, _ = uninterrupted
    folder, log = tmp_path / "run", tmp_path / "log"
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items()]

    def command(*words: object) -> subprocess.Popen:
        arguments = [sys.executable, "-m", "handgrad", "train", *map(str, words), "--checkpoint-every", "20"]
        with log.open("w") as output:
            return subprocess.Popen(arguments, stdout=output, stderr=output)

    def kill_once(process: subprocess.Popen, reached: Callable[[], bool]) -> None:
        while process.poll() is None and not reached():
            time.sleep(0.01)
        assert process.poll() is None, f"it ended before it could be killed: {log.read_text()}"
        process.kill()
        process.wait()

    kill_once(command(some_names, "--out", folder, *flags), lambda: True)
    assert not folder.exists()
    kill_once(command(some_names, "--out", folder, *flags), lambda: (folder / "config.json").exists())
    kill_once(command("--resume", folder), lambda: steps_saved(folder) > 0)
    step = steps_saved(folder)
    kill_once(command("--resume", folder), lambda: steps_saved(folder) > step)
    leftover = folder / ".state.safetensors.1.tmp"
    leftover.write_bytes(b"half")
    assert command("--resume", folder).wait() == 0, log.read_text()
    assert_same(files(folder), whole)


@pytest.fixture(scope="module")
def deaths(some_names, tmp_path_factory) -> Path:
    """What `dies_while_writing.py` leaves."""
    folder = tmp_path_factory.mktemp("deaths")
    script = Path(__file__).with_name("dies_while_writing.py")
    subprocess.run([sys.executable, script, folder, some_names], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return folder


@pytest.mark.slow
@ON_UNIX
def test_dead_before_any_line_that_makes_a_run_it_can_be_made_or_gone_on_with(deaths):
    settings = checkpoint.read_settings(deaths / "old")
    made = []
    for folder in (deaths / "create").iterdir():
        made.append((folder / "config.json").exists())
        if not made[-1]:
            checkpoint.create(folder, settings)
        assert checkpoint.read_settings(folder) == settings
        assert reopen(folder).state.step == 0
        assert files(folder).keys() == {"config.json"}
    assert len(made) > 20
    assert set(made) == {False, True}


def files_after_death(folder: Path, deaths: Path) -> dict[str, bytes]:
    """What a death while saving left, once it can be gone on with: of each file the old one or the new one."""
    old, new = files(deaths / "old"), files(deaths / "new")
    assert steps_saved(folder) in (2, 3)
    assert reopen(folder).state.step == steps_saved(folder)
    ours = files(folder)
    assert ours.keys() == old.keys()
    assert [name for name in ours if ours[name] not in (old[name], new[name])] == []
    return ours


@pytest.mark.slow
@ON_UNIX
def test_dead_before_any_line_that_saves_each_file_is_the_old_or_the_new_one(deaths):
    old, new = files(deaths / "old"), files(deaths / "new")
    folders = list((deaths / "save").iterdir())
    assert len(folders) > 40
    assert sum(any(folder.glob(".*.tmp")) for folder in folders) > 10
    ours = [files_after_death(folder, deaths) for folder in folders]
    for name in ("state.safetensors", "model.safetensors", "history.csv"):
        assert {each[name] for each in ours} == {old[name], new[name]}


@pytest.mark.slow
@ON_UNIX
def test_killed_in_the_middle_of_a_file_each_is_the_old_or_the_new_one(deaths):
    torn = 0
    for folder in (deaths / "torn").iterdir():
        torn += any(0 < path.stat().st_size == int(folder.name) for path in folder.glob(".*.tmp"))
        files_after_death(folder, deaths)
    assert torn > 10
