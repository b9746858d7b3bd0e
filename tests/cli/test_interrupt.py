"""Ctrl-C: a line that says what is saved and how to go on, and a run that goes on to its end."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import handgrad as library
from handgrad.training.checkpoint import read_settings, read_state

from .command import ENVIRONMENT, SMALL, command

SAVED = re.compile(r"handgrad: stopped\. Step ([\d,]+) is saved; go on with 'handgrad train --resume (.+)'\.\n")
STEPS = 300_000
LONG = ("--steps", STEPS, *SMALL[2:], "--keep", "last", "--checkpoint-every", "0.2s")


def listen() -> None:
    """Let Ctrl-C reach the command even where these tests run in the background, which ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def training(work):
    """Starts `handgrad train`, and ends it should the test fail to."""
    started = []

    def start(*words: object) -> subprocess.Popen:
        process = subprocess.Popen(
            command("train", *words), cwd=work, env=ENVIRONMENT, preexec_fn=listen, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def once(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGINT)


def till_it_ends(process: subprocess.Popen) -> None:
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.001)


def step_saved(process: subprocess.Popen, run: str) -> int:
    """The step that the one line on stderr tells of."""
    _, err = process.communicate(timeout=60)
    line = SAVED.fullmatch(err)
    assert line, err
    assert line[2] == run
    assert process.returncode == 130
    return int(line[1].replace(",", ""))


def goes_on_to_its_end(handgrad, work: Path, run: str, steps: int = STEPS) -> None:
    ended = handgrad("train", "--resume", run, folder=work)
    assert ended.code == 0, ended.err
    assert read_state(work / run, read_settings(work / run)).step == steps
    assert not list((work / run).glob(".*"))


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("press", [once, till_it_ends], ids=lambda press: press.__name__)
def test_ctrl_c_while_it_trains(handgrad, training, work, press: Callable[[subprocess.Popen], None]):
    process = training("names.txt", "--out", "new", *LONG)
    while not (work / "new" / "history.csv").exists():
        assert process.poll() is None
        time.sleep(0.005)
    checkpoint = library.load(work / "new").steps
    time.sleep(0.05)
    press(process)
    step = step_saved(process, "new")
    assert checkpoint < step < STEPS
    assert library.load(work / "new").steps == step
    goes_on_to_its_end(handgrad, work, "new")


@pytest.mark.slow
def test_ctrl_c_just_after_the_start_with_torch(handgrad, training, work):
    """While code that is loaded calls back into Python, which may drop the exception of a Ctrl-C."""
    process = training("names.txt", "--out", "a new run", "--steps", 20_000, *LONG[2:], "--engine", "torch")
    while not process.stdout.readline().startswith("run "):
        assert process.poll() is None
    time.sleep(0.3)
    once(process)
    assert step_saved(process, "'a new run'") < 20_000
    goes_on_to_its_end(handgrad, work, "a new run", steps=20_000)


def test_ctrl_c_before_there_is_a_run(training, work):
    """While it waits for the text, which comes through a pipe."""
    os.mkfifo(work / "pipe")
    process = training("pipe", "--out", "new", *LONG)
    with (work / "pipe").open("wb"):
        time.sleep(0.05)
        once(process)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "handgrad: stopped.\n")
    assert not (work / "new").exists()
