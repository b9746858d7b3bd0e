"""Ctrl-C: a line that says what is saved and how to go on, and a run that goes on to its end."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

import handgrad as library

from .command import ENVIRONMENT, SMALL, command

SAVED = re.compile(r"handgrad: stopped\. Step ([\d,]+) is saved; go on with 'handgrad train --resume (.+)'\.\n")
LONG = ("--steps", "2000", *SMALL[2:], "--checkpoint-every", "100")


@pytest.fixture
def training(work):
    """Starts `handgrad train`, and ends it should the test fail to."""
    started = []

    def start(*words: object) -> subprocess.Popen:
        process = subprocess.Popen(command("train", *words), cwd=work, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.005)


def stopped(process: subprocess.Popen, run: str) -> int:
    """The step that was saved, from the one line on stderr."""
    _, err = process.communicate(timeout=60)
    line = SAVED.fullmatch(err)
    assert line, err
    assert line[2] == run
    assert process.returncode == 130
    return int(line[1].replace(",", ""))


def goes_on_to_its_end(handgrad, work: Path, run: str) -> None:
    ended = handgrad("train", "--resume", run, folder=work)
    assert ended.code == 0, ended.err
    assert library.load(work / run).steps == 2000
    assert not list((work / run).glob(".*"))


@pytest.mark.parametrize("signals", [1, 3], ids=["once", "again and again"])
def test_ctrl_c_while_it_trains(handgrad, training, work, signals):
    process = training("names.txt", "--out", "new", *LONG)
    wait_for(work / "new" / "history.csv")
    for _ in range(signals):
        process.send_signal(signal.SIGINT)
        time.sleep(0.002)
    step = stopped(process, "new")
    assert 100 <= step < 2000
    assert library.load(work / "new").steps == step
    goes_on_to_its_end(handgrad, work, "new")


def test_ctrl_c_while_torch_is_imported(handgrad, training, work):
    process = training("names.txt", "--out", "a new run", *LONG)
    while not process.stdout.readline().startswith("run "):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert stopped(process, "'a new run'") == 0
    goes_on_to_its_end(handgrad, work, "a new run")


def test_ctrl_c_before_there_is_a_run(training, work):
    """While it waits for the text, which comes through a pipe."""
    os.mkfifo(work / "pipe")
    process = training("pipe", "--out", "new", *LONG)
    with (work / "pipe").open("wb"):
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "handgrad: stopped.\n")
    assert not (work / "new").exists()
