"""`handgrad runs`, by running it: the table, what is unfinished or damaged, JSON and the picture."""

import json
import shutil

import pytest

import handgrad as library
from handgrad.cli import main
from handgrad.training.listing import curve_of, listing
from handgrad.training.results import Results, write_results

from .command import refused

SMALL = {"model": "mlp", "steps": 200, "batch_size": 8, "n_hidden": 8, "n_embd": 4, "block_size": 3}
LOSS = {"train": 2.0, "val": 2.125, "test": 2.25}


@pytest.fixture(scope="module")
def made(names, tmp_path_factory):
    """A folder with a run of each kind: one network, what is counted, a mixture, one of two seeds."""
    folder = tmp_path_factory.mktemp("runs")
    text = folder / "names.txt"
    text.write_bytes(names)
    library.train(text, out=folder / "net", **SMALL)
    library.train(text, model="ngram", out=folder / "group" / "counted")
    library.mix([folder / "net", folder / "group" / "counted"], out=folder / "mixed")
    library.train(text, out=folder / "two", runs=2, **SMALL)
    for number, run in enumerate(("net", "group/counted", "mixed", "two")):
        config = json.loads((folder / run / "config.json").read_text())
        config["created"] = f"2026-01-31T12:00:{number:02}+00:00"
        (folder / run / "config.json").write_text(json.dumps(config))
        write_results(folder / run, Results(200, 75.0 + number, 200, LOSS, "2026-01-31T12:05:00+00:00"))
    return folder


@pytest.fixture
def folder(made, tmp_path):
    shutil.copytree(made, tmp_path / "runs")
    return tmp_path


def lines(shown: str) -> dict[str, str]:
    """The lines of the table by the name of the run."""
    return {line.split()[0]: " ".join(line.split()) for line in shown.splitlines()[1:]}


def test_the_table(handgrad, folder):
    shown = handgrad("runs", folder=folder)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.split("\n")[0].split() == [
        "run", "text", "model", "parameters", "steps", "time", "train", "validation", "test", "when",
    ]  # fmt: skip
    assert list(lines(shown.out)) == ["two", "mixed", "group/counted", "net"]
    seen = lines(shown.out)
    assert seen["two"].startswith("two × 2 seeds names mlp ")
    assert seen["net"].split()[2:8] == ["mlp", seen["net"].split()[3], "200", "1m", "15s", "2.0000"]
    assert seen["mixed"].startswith("mixed names mix of mlp + ngram ")
    assert "names ngram counted 200 1m 16s 2.0000 2.1250 2.2500" in seen["group/counted"]


def test_a_narrow_screen_keeps_what_matters(capsys, made, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["runs", str(made)]) == 0
    shown = capsys.readouterr().out
    assert "validation" in shown
    assert "parameters" not in shown


def test_what_is_unfinished_or_damaged(handgrad, folder):
    runs = folder / "runs"
    (runs / "net" / "results.json").unlink()
    (runs / "net" / "samples.txt").unlink()
    (runs / "mixed" / "config.json").write_text("{")
    (runs / "two" / "results.json").write_text('{"format": 1, "steps": 7, "seconds": "one", "best_step": 1}')
    (runs / "group" / "counted" / "model.safetensors").write_bytes(b"x" * 99)
    shown = handgrad("runs", folder=folder)
    assert shown.code == 0
    assert list(lines(shown.out)) == ["net"]
    assert " 200 of 200, unfinished " in lines(shown.out)["net"]
    assert "runs/net is not finished: 'handgrad train --resume runs/net' goes on.\n" in shown.err
    for damage in ("mixed: config.json", "two: results.json", "group/counted: model.safetensors"):
        assert f"runs/{damage} is damaged" in shown.err
    assert "(got seconds: Expected `float`, got `str`)" in shown.err
    found = json.loads(handgrad("runs", "--json", folder=folder).out)
    assert [(run["run"], run["finished"], run["loss"]) for run in found["runs"]] == [("runs/net", False, {})]
    assert sorted(run["run"] for run in found["damaged"]) == ["runs/group/counted", "runs/mixed", "runs/two"]


def test_of_many_unfinished_ones_one_line_tells(handgrad, folder):
    for k in range(4):
        shutil.copytree(folder / "runs" / "net", folder / "cut" / str(k))
        (folder / "cut" / str(k) / "results.json").unlink()
        (folder / "cut" / str(k) / "samples.txt").unlink()
    shown = handgrad("runs", "cut", folder=folder)
    assert shown.err == "4 runs are not finished: 'handgrad train --resume RUN' goes on with one.\n"


def test_as_json(handgrad, folder):
    content = json.loads(handgrad("runs", "runs", "--json", folder=folder).out)
    assert content["damaged"] == []
    first, second, *_ = content["runs"]
    assert (first["seeds"], first["models"], first["planned"]) == (2, ["mlp"], 200)
    assert second["model"] == "mix of mlp + ngram"
    assert second["seconds"] == 77.0
    assert second["loss"] == LOSS


def test_the_picture(handgrad, folder):
    with (folder / "runs" / "two" / "history.csv").open("a") as file:
        file.write("21,oops\n")
    ended = handgrad("runs", "runs", "--plot", "curves.png", folder=folder)
    assert ended.code == 0
    assert "runs/two: history.csv is damaged" in ended.err
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_a_curve_is_of_validation_where_it_was_measured(tmp_path):
    (tmp_path / "history.csv").write_text(
        "step,loss,log10_loss,lr,val_loss\n1,3.0,0.5,0.1,\n2,2.5,0.4,0.1,2.75\n3,2,0,0,2.5\n"
    )
    assert curve_of(tmp_path) == ([2, 3], [2.75, 2.5], True)
    (tmp_path / "history.csv").write_text("step,loss,log10_loss,lr\n1,3.0,0.5,0.1\n2,2.5,0.4,0.1\n")
    assert curve_of(tmp_path) == ([1, 2], [3.0, 2.5], False)
    assert curve_of(tmp_path / "nowhere") is None


def test_one_run_and_none(handgrad, made, tmp_path):
    assert [run.run for run in listing(made / "net").runs] == [made / "net"]
    (tmp_path / "empty").mkdir()
    ended = handgrad("runs", "empty", folder=tmp_path)
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == "There are no runs in empty; 'handgrad train' makes one.\n"
    refused(handgrad, "runs", folder=tmp_path, says=("runs: there is no such folder", "'handgrad train' makes one"))
    refused(handgrad, "runs", "empty", "--plot", "nowhere/a.png", folder=tmp_path, says=("nowhere/a.png", "no picture"))
