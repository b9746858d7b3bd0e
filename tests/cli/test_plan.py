"""`handgrad train` as most people run it: a text and nothing else, or how long it may take."""

import json
import math
import os
import re
import subprocess

import pytest

import handgrad as library
from handgrad.training.checkpoint import read_config

from .command import ENVIRONMENT, command

PARTS = ["ngram", "gru", *(f"gru-{number}" for number in range(2, 9))]
FEW = ("--steps", "30", "--n-hidden", "8", "--n-embd", "4", "--batch-size", "8")


@pytest.fixture(scope="module")
def planned(handgrad, names, tmp_path_factory):
    """What `handgrad train names.txt --steps 30 …` left, and what it said."""
    folder = tmp_path_factory.mktemp("planned")
    (folder / "names.txt").write_bytes(names)
    return folder, handgrad("train", "names.txt", "--out", "run", *FEW, folder=folder)


@pytest.mark.slow
def test_what_it_shows(planned):
    folder, ended = planned
    assert ended.code == 0, ended.err
    assert re.search(
        r"^plan +48 lines are few: 6 GRUs of 64 units and 2 GRUs of 128 units, mixed with an n-gram$",
        ended.out,
        re.MULTILINE,
    )
    assert re.search(r"^model +ngram, counted", ended.out, re.MULTILINE)
    assert re.search(r"^model +gru, [\d,]+ parameters: n_embd 4, n_hidden 8", ended.out, re.MULTILINE)
    rows = re.findall(r"^([\w-]+) +(\d\.\d\d)?(?: +\d\.\d{4}){3}$", ended.out, re.MULTILINE)
    assert [name for name, _ in rows] == [*PARTS, "mixture"]
    assert sum(float(weight or 0) for _, weight in rows) == pytest.approx(1, abs=0.05)
    assert re.search("^gru: step 30 of 30: loss ", ended.err, re.MULTILINE)
    assert len(re.findall(r"^  \S+ +(?:new|known)$", ended.out, re.MULTILINE)) == 20
    assert library.sample(library.load(folder / "run"), 20, seed=1) == (
        (folder / "run" / "samples.txt").read_text().splitlines()
    )


@pytest.mark.slow
def test_for_a_program(handgrad, planned):
    folder, _ = planned
    content = json.loads(handgrad("train", "names.txt", "--out", "again", *FEW, "--json", folder=folder).out)
    assert [part["part"] for part in content["parts"]] == PARTS
    assert sum(part["weight"] for part in content["parts"]) == pytest.approx(1)
    assert content["loss"]["val"] <= min(part["loss"]["val"] for part in content["parts"])
    assert (content["run"], content["steps"], len(content["samples"])) == ("again", 8 * 30, 20)
    further = json.loads(handgrad("train", "--resume", "again", "--steps", "12", "--json", folder=folder).out)
    assert further["steps"] == 8 * 42


@pytest.mark.slow
def test_a_run_that_was_made_is_used_like_any_other(handgrad, planned):
    folder, _ = planned
    assert handgrad("sample", "run", "-n", "3", "--seed", "1", folder=folder).out.count("\n") == 3
    assert handgrad("evaluate", "run", folder=folder).code == 0
    ended = handgrad("train", "--resume", "run", "--n-hidden", "9", folder=folder)
    assert (ended.code, "--n-hidden: a resumed run keeps its settings" in ended.err) == (2, True)


@pytest.mark.slow
def test_what_tensorboard_shows(handgrad, planned):
    pytest.importorskip("tensorboard")
    folder, _ = planned
    assert handgrad("train", "names.txt", "--out", "board", *FEW, "--tensorboard", folder=folder).code == 0
    assert [len(list((folder / "board" / part).glob("events.out.tfevents.*"))) for part in PARTS] == [0] + [1] * 8
    (samples,) = (folder / "board").glob("events.out.tfevents.*")
    assert (folder / "board" / "samples.txt").read_bytes().split()[0] in samples.read_bytes()


@pytest.mark.slow
def test_what_is_piped_in_is_trained_on_and_kept_beside_the_run(handgrad, names, tmp_path):
    ended = subprocess.run(
        command("train", "-", *FEW, "--json"), cwd=tmp_path, env=ENVIRONMENT, input=names, capture_output=True
    )
    assert ended.returncode == 0, ended.stderr
    run = tmp_path / json.loads(ended.stdout)["run"]
    kept = run.with_name(f"{run.name}.txt")
    assert sorted(run.parent.iterdir()) == [run, kept]
    assert kept.read_bytes() == names
    assert handgrad("evaluate", run, folder=tmp_path).code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("piped", "flags", "says"),
    [
        ("ana\nbea\n", (), "standard input: there are too few lines"),
        ("ana\n\0\n", (), "standard input, line 2: this looks like a binary file"),
        ("ana\n" * 20, ("--n-hidden", "0"), "n_hidden makes no sense"),
        (None, (), "standard input is closed"),
    ],
)
def test_what_is_piped_in_and_cannot_be_trained_on_leaves_nothing(tmp_path, piped, flags, says):
    closed = {"preexec_fn": lambda: os.close(0)} if piped is None else {"input": piped}
    ended = subprocess.run(
        command("train", "-", *flags), cwd=tmp_path, env=ENVIRONMENT, text=True, capture_output=True, **closed
    )
    assert (ended.returncode, ended.stderr.startswith("handgrad: "), ended.stderr.count("\n")) == (2, True, 1)
    assert says in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_in_a_time_it_trains_as_long_as_pays(handgrad, planned):
    """The text is so small that a fraction of the time is enough."""
    folder, _ = planned
    ended = handgrad("train", "names.txt", "--time", "20s", "--out", "timed", folder=folder)
    assert ended.code == 0, ended.err
    plan = read_config(folder / "timed")
    assert plan.seconds == 20
    assert library.load(folder / "timed" / "gru").steps <= plan.main.steps


@pytest.mark.slow
@pytest.mark.one_in(3)
@pytest.mark.parametrize("lines", ["ab\n" * 40, "a\nb\n" * 30, "\n".join(chr(0x4E00 + k) * 2 for k in range(900))])
def test_odd_texts_are_learnt(handgrad, tmp_path, lines):
    (tmp_path / "odd.txt").write_text(lines)
    ended = handgrad("train", "odd.txt", "--steps", "20", "--out", "run", "--json", folder=tmp_path)
    assert ended.code == 0, ended.err
    model = library.load(tmp_path / "run")
    assert json.loads(ended.out)["loss"]["val"] <= math.log(model.vocabulary.size) + 0.02
