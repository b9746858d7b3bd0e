"""Watch mode in a real terminal: an ordinary session, and bad moments."""

import os
import re
import time
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from handgrad.learn.workspace import Workspace

from .conftest import COMMAND

PATIENCE = 20
SETTLED = r"quit\r\n"
STYLED_SPACE = r"(?:\x1b\[[0-9;]*m|\s)+"


@contextmanager
def terminal(folder: Path, columns: int = 80, **variables: str):
    """`handgrad learn` in a terminal; `see` waits for a text and returns the whole of the screen that shows it."""
    environment = {**os.environ, "TERM": "xterm", **variables}
    child = pexpect.spawn(
        COMMAND[0], COMMAND[1:], cwd=str(folder), env=environment, dimensions=(40, columns), encoding="utf-8",
        timeout=PATIENCE,
    )  # fmt: skip

    def see(pattern: str, settled: bool = True) -> str:
        child.expect(pattern.replace(" ", STYLED_SPACE))
        shown = child.before + child.after
        if settled:
            child.expect(SETTLED)
            shown += child.before + child.after
        child.raw = shown.rpartition("\x1b[2J")[2]
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", child.raw)

    child.see = see
    try:
        yield child
    finally:
        child.close(force=True)


@pytest.fixture
def chain(workspace, course) -> Path:
    return workspace.path(course.find("01_chain"))


def answer(path: Path, **lines: str) -> str:
    text = path.read_text()
    for name, value in lines.items():
        text = re.sub(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
    return text


@pytest.mark.slow
def test_a_session(tmp_path, course):
    with terminal(tmp_path) as child:
        child.see(r"Set up the course, 49 exercises, in .*\? \[y/n\]", settled=False)
        child.sendline("y")
        child.see("Write dy, da, db, dc below")
        workspace = Workspace.find(tmp_path, course)
        path = workspace.path(course.find("01_chain"))

        path.write_text(answer(path, dy="dz", dc="dz", da="a * dy", db="a * dy"))
        wrong = child.see("line 31: da = a")
        assert "Hint 1" not in wrong
        assert "look at da again" in wrong
        child.send("h")
        assert "wrong variable" not in child.see("Hint 1: Begin at the last line")
        child.send("h")
        assert "Hint 2: A sum hands" in child.see("the wrong variable is used")
        child.send("s")
        child.see(r"Show the solution\? \[y/n\]")
        child.send("n")
        assert "da = b * dy" not in child.see("Hint 2")

        path.write_text(answer(path, da="b * dy"))
        assert "Why" in child.see("1 of 49 solved")
        child.send("s")
        child.see(r"da = b \* dy")
        child.send("d")
        assert "put in" in child.see("✓ as autograd, exactly")
        child.send("l")
        assert "Scalars and the chain rule: 1 of 4" in child.see("A variable used twice")
        child.send("n")
        child.see("Write db, da below")

        other = workspace.path(course.find("02_gain"))
        other.write_text(answer(other, dx="gain * dy"))
        child.see("Not written yet: dgain, dbias")
        child.send("r")
        child.see("Reset. Your file is in")
        child.see("Write dgain")
        assert "dx = None" in other.read_text()
        child.send("q")
        child.expect(pexpect.EOF)
    assert child.exitstatus == 0


@pytest.mark.parametrize(("reply", "code"), [("n\n", 1), ("\x03", 130), ("\x04", 1)], ids=["no", "Ctrl-C", "Ctrl-D"])
def test_nothing_is_written_without_a_yes(tmp_path, reply, code):
    with terminal(tmp_path) as child:
        child.see("Set up the course", settled=False)
        child.expect("y/n")
        child.send(reply)
        child.expect(pexpect.EOF)
    assert child.exitstatus == code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("workspace")
def test_bad_moments(tmp_path, chain):
    right = answer(chain, dy="dz", dc="dz", da="b * dy", db="a * dy")
    with terminal(tmp_path, columns=60, NO_COLOR="1") as child:
        child.see("Write dy")

        chain.write_text(right.replace("da = ", "da = ("))
        child.see("Not Python yet. Line 31")
        chain.write_text(right.replace("da = b", "if a is not None:\n        da = b\n\tda = b"))
        child.see("TabError")

        chain.write_text(right.replace("da = ", "while True:\n    da = "))
        child.see("checking")
        time.sleep(0.5)
        swap = chain.with_suffix(".swp")  # an editor that saves by rename, while the loop still runs
        swap.write_text(right.replace("db = a", "db = b"))
        swap.replace(chain)
        table = child.see("line 32: db = b")
        assert max(len(line.rstrip()) for line in table.splitlines()) <= 60

        chain.unlink()
        child.see("The file is gone")
        child.send("r")
        child.see("Written anew")
        child.see("Write dy")

        moved = chain.rename(chain.with_name("mine.py"))
        child.see("The file is gone")
        moved.rename(chain)
        child.see("Write dy")

        with chain.open("w") as file:  # an editor that writes in two steps
            file.write(right[: len(right) // 2])
            file.flush()
            time.sleep(0.5)
            file.write(right[len(right) // 2 :])
        child.see("Why")
        assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", child.raw)  # no colour
        child.sendintr()
        child.expect("handgrad: stopped")
        child.expect(pexpect.EOF)
    assert child.exitstatus == 130
    assert chain.read_text() == right


@pytest.mark.slow
def test_a_folder_that_vanishes(tmp_path, workspace):
    with terminal(tmp_path) as child:
        child.see("Write dy")
        workspace.folder.rename(tmp_path / "elsewhere")
        child.expect("the course folder cannot be used")
        child.expect(pexpect.EOF)
    assert child.exitstatus == 2


@pytest.mark.slow
def test_two_watchers_at_once(tmp_path, workspace, chain, course):
    with terminal(tmp_path) as one, terminal(tmp_path) as two:
        for child in (one, two):
            child.see("Write dy")
        one.send("h")
        one.see("hint .1 of 3")
        chain.write_text(course.find("01_chain").solution)
        for child in (one, two):
            child.see("1 of 49 solved")
            child.send("n")
            child.see("A variable used twice")
            child.sendintr()
            child.expect(pexpect.EOF)
    progress = workspace.progress()
    assert (progress.solved, progress.hints["ch01_scalars/01_chain"]) == ({"ch01_scalars/01_chain"}, 1)
