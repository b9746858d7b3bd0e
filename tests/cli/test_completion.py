"""`handgrad completion`, by pressing Tab in each shell that is installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from handgrad.cli import COMMANDS

from .command import ENVIRONMENT, SCRIPT, assert_refused

BEFORE = {"zsh": "autoload -U compinit && compinit -u -D; "}
EVAL = {"bash": 'eval "$(handgrad completion bash)"', "zsh": 'eval "$(handgrad completion zsh)"',
        "fish": "handgrad completion fish | source"}  # fmt: skip
FLAGS = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"]}
LINES = {
    "trai": "handgrad train ",
    "train --mod": "handgrad train --model ",
    "train --model gr": "handgrad train --model gru ",
    "train --preset=lec": "handgrad train --preset=lecture ",
    "train town": "handgrad train towns.txt ",
    "sample runs/fir": "handgrad sample runs/first ",
    "data fet": "handgrad data fetch ",
    "learn hint ch01_scalars/01_c": "handgrad learn hint ch01_scalars/01_chain ",
    "help ben": "handgrad help bench ",
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "towns.txt").touch()
    (tmp_path / "runs" / "first").mkdir(parents=True)
    (tmp_path / "runs" / "first" / "config.json").touch()
    return tmp_path


def environment() -> dict[str, str]:
    assert SCRIPT is not None
    return {**ENVIRONMENT, "PATH": f"{Path(SCRIPT).parent}:{os.environ['PATH']}", "TERM": "xterm", "PS1": "$ "}


def asked(line: str, folder: Path) -> list[str]:
    """What the command answers to a shell."""
    words = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "COMP_LINE": line, "COMP_POINT": str(len(line)),
             "_ARGCOMPLETE_SUPPRESS_SPACE": "1"}  # fmt: skip
    ask = f"{sys.executable} -m handgrad 8>&1 9>&2 1>/dev/null"
    ended = subprocess.run(["bash", "-c", ask], cwd=folder, check=True,
                           env={**environment(), **words}, stdin=subprocess.DEVNULL, capture_output=True)  # fmt: skip
    assert ended.stderr == b""
    return ended.stdout.decode().split("\n")


def test_what_is_offered(folder):
    assert asked("handgrad ", folder) == [*COMMANDS, "help"]
    assert {"--steps", "--n-hidden", "--json", "--help"} < set(asked("handgrad train --", folder))


@pytest.mark.parametrize("line", ["trai", *(pytest.param(line, marks=pytest.mark.slow) for line in list(LINES)[1:])])
@pytest.mark.parametrize("shell", ["bash", pytest.param("zsh", marks=pytest.mark.slow)])
def test_tab(shell, line, folder):
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    screen = pexpect.spawn(shell, [*FLAGS[shell], "-i"], cwd=str(folder), env=environment(), timeout=20,
                           encoding="utf-8", dimensions=(24, 200))  # fmt: skip
    screen.sendline(f"{BEFORE.get(shell, '')}{EVAL[shell]}; echo re''ady")
    screen.expect("ready")
    screen.send(f"handgrad {line}\t")
    screen.expect_exact(LINES[line] if shell == "bash" else LINES[line].strip())
    screen.close(force=True)


@pytest.mark.slow
@pytest.mark.parametrize("line", LINES)
def test_tab_in_fish(line, folder):
    if shutil.which("fish") is None:
        pytest.skip("there is no fish")
    program = f"{EVAL['fish']}; complete -C 'handgrad {line}'"
    ended = subprocess.run(["fish", "--no-config", "-c", program], cwd=folder, env=environment(), capture_output=True,
                           text=True, check=True)  # fmt: skip
    assert ended.stderr == ""
    assert ended.stdout.split("\t")[0].strip().split("\n") == [LINES[line].split()[-1]]


@pytest.mark.parametrize("words", [("completion",), ("completion", "csh")], ids=str)
def test_what_is_refused(handgrad, tmp_path, words):
    assert_refused(handgrad(*words, folder=tmp_path), "SHELL")
