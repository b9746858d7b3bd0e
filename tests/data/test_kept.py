"""What is kept of large texts: by one process for all, whole or not at all."""

import io
import os
import resource
import signal
import subprocess
import sys

import pytest
from rich.console import Console

from handgrad import cli
from handgrad.data import large, read_corpus, reading, split
from handgrad.errors import CorpusError
from handgrad.preparing import listening
from handgrad.training.progress import PreparationProgress

from .both_ways import A_FEW, assert_the_same, both

pytestmark = pytest.mark.usefixtures("folder", "some_at_once")

IN_A_PROCESS = """
import sys
from handgrad import cli, data, preparing
from handgrad.data import large, shuffle
large.LARGE, shuffle.LINES_AT_ONCE = 1, 5
def told(what, done):
    if what:
        print(what, flush=True)
"""
"""What a process that takes every text for a large one begins with."""


def python(code: str, *words: object, **more) -> subprocess.Popen:
    """A process that takes every text for a large one."""
    command = [sys.executable, "-c", IN_A_PROCESS + code, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


@pytest.mark.parametrize("stage", ["reading the text", "dealing its lines", "looking for equal lines", "sorting"])
def test_what_a_kill_leaves_is_not_believed(folder, write, stage):
    path = write(A_FEW * 3)
    code = """
def told(what, done):
    if what.startswith(sys.argv[2]):
        print(what, flush=True)
        sys.stdin.read()
with preparing.listening(told):
    data.split(data.read_corpus(sys.argv[1]), distinct=True)
"""
    process = python(code, path, stage, stdin=subprocess.PIPE)
    assert process.stdout.readline().startswith(stage)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(list(folder.glob("*.part"))) == 1
    assert_the_same(*both(path))
    assert not list(folder.glob("*.part"))


def test_a_file_that_was_cut_short_is_made_anew(folder, write):
    path = write(A_FEW)
    assert_the_same(*both(path))
    for file in folder.glob("*/*.tokens"):
        os.truncate(file, file.stat().st_size - 1)
    assert_the_same(*both(path))


def test_processes_that_come_together_prepare_it_once(write):
    path = write(A_FEW * 20)
    code = """
with preparing.listening(told):
    for part in data.split(data.read_corpus(sys.argv[1]), distinct=True):
        print(part.tokens.tobytes().hex())
"""
    outputs = [process.communicate() for process in [python(code, path) for _ in range(3)]]
    assert [error for _, error in outputs] == [""] * 3
    said = [output.splitlines() for output, _ in outputs]
    assert (
        sum("reading the text" in lines for lines in said) == sum("sorting its lines" in lines for lines in said) == 1
    )
    assert len({tuple(lines[-3:]) for lines in said}) == 1


def test_a_file_that_changes_meanwhile(folder, write, monkeypatch):
    path = write(A_FEW)
    monkeypatch.setattr(large, "LARGE", 1)
    monkeypatch.setattr(reading, "CHUNK_BYTES", 20)

    def change(_, done):
        with path.open("a") as file:
            file.write("late\n" * (done < 0.5))

    with (
        pytest.raises(CorpusError, match=r"text\.txt: the file has changed while it was read\. Try again once"),
        listening(change),
    ):
        read_corpus(path)
    assert not list(folder.glob("*/"))


def test_no_folder_and_no_room_are_said_in_a_line(folder, write):
    path, code = write(A_FEW * 20_000), "sys.exit(cli.main(['data', 'show', sys.argv[1]]))"
    environment = {**os.environ, "HANDGRAD_DATA": str(path)}
    process = python(code, path, env=environment)
    assert process.communicate()[1] == (
        f"handgrad: {path}/texts: a large text cannot be prepared there (got Not a directory, expected a folder that "
        "can be written to). Name another in the environment variable HANDGRAD_DATA.\n"
    )
    assert process.returncode == 2
    process = python(code, path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20)))
    error = process.communicate()[1]
    assert error.count("\n") == 1
    assert "(got File too large, expected room for a few times the text). Free some space, or name another" in error
    assert process.returncode == 2
    assert not list(folder.glob("*/"))


def test_a_terminal_shows_how_far_it_is(write, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(large, "LARGE", 1)
    shown = PreparationProgress(Console(file=screen, force_terminal=True, width=80))
    with listening(shown):
        split(read_corpus(write(A_FEW)))
    assert all(stage in screen.getvalue() for stage in ("reading the text", "dealing its lines", "sorting its lines"))
    assert screen.getvalue().endswith("\x1b[2K")  # the bar is gone


def test_what_is_kept_can_be_removed(folder, write, capsys):
    assert_the_same(*both(write(A_FEW)))
    (folder / "dead-v1.x.part").mkdir()
    (folder / "dead-v1.x.part" / "texts").write_text("half")
    assert cli.main(["data", "list"]) == 0
    assert "kept of large texts: 0.0 MB (handgrad data clear)" in capsys.readouterr().out
    assert cli.main(["data", "clear"]) == 0
    assert capsys.readouterr().out.startswith("0.0 MB removed from ")
    assert cli.main(["data", "list"]) == 0
    assert "large texts" not in capsys.readouterr().out
    assert not list(folder.glob("*/"))
