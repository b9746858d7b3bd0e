"""Runs are found among folders, newest first; what is damaged or unfinished is passed over."""

import json
import shutil
from pathlib import Path

import pytest

import handgrad
from handgrad.errors import RunError
from handgrad.training.folders import newest, refuse_folder_of_runs, runs_in


def made(folder: Path, created: object) -> Path:
    """A run folder of which only this is known."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"created": created}))
    return folder


def test_runs_are_listed_newest_first(tmp_path):
    old = made(tmp_path / "a", "2026-01-31T12:00:00+00:00")
    new = made(tmp_path / "b", "2026-03-01T12:00:00+00:00")
    west = made(tmp_path / "group" / "c", "2026-02-01T01:00:00-09:00")  # ten in the morning in London
    east = made(tmp_path / "group" / "d", "2026-02-01T12:00:00+09:00")  # three
    assert runs_in(tmp_path) == runs_in(str(tmp_path)) == [new, west, east, old]


def test_what_is_no_run_is_passed_over(tmp_path):
    run = made(tmp_path / "run", "2026-01-31T12:00:00+00:00")
    made(run / "seed-1", "2026-01-31T12:00:01+00:00")
    made(tmp_path / ".hidden", "2026-01-31T12:00:01+00:00")
    made(tmp_path / "a" / "b" / "c" / "too-deep", "2026-01-31T12:00:01+00:00")
    for number, created in enumerate([None, 7, "today", "", [], "9999-12-31T23:59:59-23:00"]):
        made(tmp_path / f"damaged-{number}", created)
    for number, text in enumerate([b"", b"{}", b"[]", b"\xff", b"7", b"[" * 100_000]):
        made(tmp_path / f"cut-{number}", "").joinpath("config.json").write_bytes(text)
    (tmp_path / "folder" / "config.json").mkdir(parents=True)
    assert runs_in(tmp_path) == [run]
    assert runs_in(tmp_path / "nowhere") == runs_in(run / "config.json") == []


def test_the_newest_is_the_last_that_was_finished_and_can_be_loaded(tmp_path, some_names):
    runs = tmp_path / "runs"
    with pytest.raises(RunError, match=r"runs: there is no run in this folder\. 'handgrad train' makes one"):
        newest(runs)
    sizes = {"model": "mlp", "steps": 2, "batch_size": 4, "n_hidden": 4, "n_embd": 2, "block_size": 2}
    for name in ("first", "second"):
        handgrad.train(some_names, out=runs / name, **sizes)
    assert newest(runs) == runs / "second"

    shutil.copytree(runs / "second", runs / "third")
    (runs / "third" / "samples.txt").unlink()
    assert newest(runs) == runs / "second"
    (runs / "second" / "model.safetensors").write_bytes(b"cut")
    assert newest(runs) == runs / "first"
    shutil.rmtree(runs / "first")
    with pytest.raises(RunError, match=r"no run in this folder is finished\..*--resume .*second"):
        newest(runs)


def test_a_folder_of_runs_is_explained(tmp_path):
    for number in range(10):
        made(tmp_path / f"run-{number}", f"2026-01-31T12:00:0{number}+00:00")
    with pytest.raises(RunError, match=r"folder of runs, not a run.*run-9, .*run-8, .*run-2 and 2 more\.$"):
        refuse_folder_of_runs(tmp_path)
    with pytest.raises(RunError, match=r"For the newest type 'handgrad sample .*/run-9'\.$"):
        refuse_folder_of_runs(tmp_path, "handgrad sample")
    refuse_folder_of_runs(tmp_path / "run-1")
    refuse_folder_of_runs(tmp_path / "nowhere")
