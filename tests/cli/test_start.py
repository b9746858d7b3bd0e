"""`handgrad` itself: help, version, exit codes, and what is imported before there is work to do."""

import signal
import subprocess
import sys
from importlib.metadata import version

import pytest

from handgrad.cli import COMMANDS

from .command import ENVIRONMENT, cold, command

HEAVY = ["torch", "matplotlib", "numba", "safetensors", "pooch"]
PROBE = """
import contextlib, io, sys
from handgrad.cli import main
for words in {commands!r}:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        try:
            main(words.split())
        except SystemExit:
            pass
    print(words, "|", *{heavy!r} & sys.modules.keys(), "|", out.tell())
"""


def test_help_and_version(handgrad, tmp_path):
    helped, asked = handgrad("--help", folder=tmp_path), handgrad("-h", folder=tmp_path)
    assert (helped.code, helped.err) == (0, "")
    assert helped == asked
    assert [name for name in COMMANDS if f"\n  {name} " not in helped.out] == []
    assert "example:\n  handgrad train" in helped.out
    bare = handgrad(folder=tmp_path)
    assert (bare.code, bare.out) == (2, helped.out)
    assert handgrad("--version", folder=tmp_path).out == f"handgrad {version('handgrad')}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [*COMMANDS, "data list", "data fetch", "data show"])
def test_every_command_helps_with_an_example(handgrad, tmp_path, words):
    helped = handgrad(*words.split(), "--help", folder=tmp_path)
    assert (helped.code, helped.err) == (0, "")
    assert f"usage: handgrad {words}" in helped.out
    if words != "data":
        assert f"  handgrad {words}" in helped.out.partition("example")[2]


def test_nothing_heavy_is_imported_before_there_is_work_to_do(tmp_path):
    """Start-up time is what is imported; a clock would say less, and not every time the same."""
    commands = ["--help", "--version", *(f"{name} --help" for name in COMMANDS), "sample nowhere", "train --lr 0"]
    code = PROBE.format(commands=commands, heavy=set(HEAVY))
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, check=True)
    seen = [line.split("|") for line in ended.stdout.decode().splitlines()]
    assert [words.strip() for words, _, _ in seen] == commands
    assert [words for words, heavy, _ in seen if heavy.strip()] == []
    assert [words for words, _, said in seen if int(said) < 10] == []


def test_the_library_is_imported_without_them_too():
    code = "import sys, handgrad; dir(handgrad); handgrad.HandgradError; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in (*HEAVY, "numpy") if name in loaded] == []


def test_as_a_module(tmp_path):
    words = [sys.executable, "-m", "handgrad", "--version"]
    shown = subprocess.run(words, cwd=tmp_path, capture_output=True, check=True).stdout
    assert shown.decode() == cold("--version", folder=tmp_path).out


def test_train_needs_no_words(tmp_path):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command("train"), cwd=tmp_path, env=ENVIRONMENT, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"text ")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130, said
