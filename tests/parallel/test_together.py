"""Several real processes, started by torchrun on this machine: what they train, and how they end."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import handgrad
from handgrad.data import resolve_corpus
from handgrad.training.checkpoint import read_settings, read_state

pytestmark = pytest.mark.cluster

TRAIN = ["-m", "handgrad", "train"]
SIZES = ["--model", "mlp", "--batch-size", "64", "--n-hidden", "16", "--n-embd", "8"]
ADAMS_NOISE = {"mlp": ["b1"], "transformer": ["bqkv.0", "bqkv.1"]}
"""Parameters of which some have no gradient but rounding: Adam takes it for one, and the loss does not see it."""


def torchrun(many: int, *words: object, **options) -> subprocess.Popen:
    """So many processes, on a port of their own."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(many)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONWARNINGS"}
    return subprocess.Popen([*command, *map(str, words)], **streams, env=environment, **options)


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("text") / "names.txt"
    path.write_text("".join(f"{name}\n" for name in list(resolve_corpus().lines())[:2_000]), encoding="utf-8")
    return path


def test_four_processes_do_what_one_does_in_every_family(tmp_path):
    ran = torchrun(4, Path(__file__).with_name("worker.py"), tmp_path / "found.json")
    _, said = ran.communicate(timeout=240)
    assert ran.returncode == 0, said
    found = json.loads((tmp_path / "found.json").read_text())
    for case, differences in found["differences"].items():
        name, _, sgd = case.partition(" ")
        noise = [] if sgd else ADAMS_NOISE.get(name, [])
        assert {key: value for key, value in differences.items() if value > 1e-12 and key not in noise} == {}, case
        assert all(differences[key] < 1e-8 for key in noise)
    assert set(found["same bits"].values()) == {True}


def test_runs_go_on_with_another_number_of_processes(text, tmp_path):
    """Two begin it, one goes on, two go on: and it is what one does from beginning to end."""
    ran = torchrun(2, *TRAIN, text, *SIZES, "--steps", 30, "--out", "run", cwd=tmp_path)
    shown, said = ran.communicate(timeout=120)
    assert ran.returncode == 0, said
    assert "handgrad" not in said
    assert shown.count("model   mlp") == shown.count("loss        nats a character") == 1  # process 0 alone speaks
    assert re.search(r"2 processes, all-reduce \d+% of a step, [\d,]+ bytes of each", shown)
    together = json.loads((tmp_path / "run" / "results.json").read_text())["together"]
    network = read_settings(tmp_path / "run").model
    assert together["processes"] == 2
    assert 0 < together["all_reduce"] < 1
    assert together["bytes"] == 4 * (1 + network.n_parameters + 4 * network.n_hidden)

    alone = {"batch_size": 64, "n_hidden": 16, "n_embd": 8, "engine": "torch", "progress": False}
    handgrad.train(text, model="mlp", steps=30, out=tmp_path / "alone", **alone)
    for name in ("run", "alone"):
        handgrad.train(resume=tmp_path / name, steps=10, progress=False)
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    ran = torchrun(2, *TRAIN, "--resume", "run", "--steps", 10, "--json", cwd=tmp_path)
    shown, said = ran.communicate(timeout=120)
    assert ran.returncode == 0, said
    assert json.loads(shown)["together"]["processes"] == 2
    handgrad.train(resume=tmp_path / "alone", steps=10, progress=False)
    states = [read_state(tmp_path / name, read_settings(tmp_path / name)) for name in ("run", "alone")]
    assert [state.step for state in states] == [50, 50]
    assert np.abs(states[0].losses - states[1].losses).max() < 1e-5


def test_a_mixture_is_refused_in_one_sentence(text, tmp_path):
    ran = torchrun(2, *TRAIN, text, cwd=tmp_path)
    shown, said = ran.communicate(timeout=120)
    assert ran.returncode == 1
    assert "exitcode  : 2" in said
    sentences = [line for line in said.splitlines() if line.startswith("handgrad: ")]
    assert len(sentences) == 1
    assert "2 processes share the minibatches of one network" in sentences[0]
    assert (shown, list(tmp_path.iterdir())) == ("", [])


def of_rank(torchruns: subprocess.Popen, rank: int) -> int:
    """The number by which the system knows that process."""
    for line in subprocess.check_output(["ps", "-o", "pid=", "--ppid", str(torchruns.pid)], text=True).split():
        with suppress(OSError):
            if f"RANK={rank}".encode() in Path(f"/proc/{line}/environ").read_bytes().split(b"\0"):
                return int(line)
    raise AssertionError(f"there is no process {rank}")


def saved_steps(folder: Path) -> int:
    return read_state(folder, read_settings(folder)).step if (folder / "state.safetensors").exists() else 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize(
    ("many", "ends", "number", "sentence"),
    [
        (3, 1, signal.SIGKILL, r"another of the 3 processes has ended\. Step ([\d,]+) is saved; go on with .*run'"),
        (
            2,
            0,
            signal.SIGKILL,
            r"another of the 2 processes has ended\. What was saved last is in the run folder",
        ),
        (2, "torchrun", signal.SIGINT, r"stopped\. Step ([\d,]+) is saved; go on with .*run'"),
    ],
    ids=["follower", "leader", "Ctrl-C"],
)
def test_all_end_with_one_sentence_where_one_ends(text, tmp_path, many, ends, number, sentence):
    words = [text, *SIZES, "--steps", 1_000_000, "--keep", "last", "--out", "run", "--checkpoint-every", "1s"]
    ran = torchrun(many, *TRAIN, *words, cwd=tmp_path)
    try:
        deadline = time.monotonic() + 60
        while not (before := saved_steps(tmp_path / "run")) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert before
        every = [of_rank(ran, rank) for rank in range(many)]
        os.kill(ran.pid if ends == "torchrun" else every[ends], number)
        killed = time.monotonic()
        _, said = ran.communicate(timeout=60)
    finally:
        ran.kill()
    assert time.monotonic() - killed < 30
    assert ran.returncode != 0
    sentences = [line for line in said.splitlines() if line.startswith("handgrad: ")]
    assert len(sentences) == 1, said
    found = re.fullmatch(f"handgrad: {sentence}.*", sentences[0])
    assert found, sentences
    assert not any(Path(f"/proc/{process}").exists() for process in every)
    saved = saved_steps(tmp_path / "run")
    assert saved >= before
    assert not found.groups() or int(found[1].replace(",", "")) == saved
    assert handgrad.load(tmp_path / "run").steps > 0
