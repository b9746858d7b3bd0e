"""Whatever a program does, a check ends in a report or in one sentence."""

import json
import os

import pytest
import torch

import handgrad
from handgrad.checker import CheckError
from handgrad.checker.faces.functions.verdict import Trial
from handgrad.checker.judge.blame import Judge
from handgrad.cli import main

from ..cli.command import assert_refused, cold

SMALL = """\
import torch
x, w = torch.randn(5, 3), torch.randn(3, 2)
y = x @ w
loss = (y**2).mean()
dy = 2 * y / y.numel()
dw = x.T @ dy
"""
DW = "dw = x.T @ dy\n"


def square(x):
    return x * x, x


def square_backward(dy, x):
    return 2 * x * dy


def between(lines: str) -> str:
    """The program with these lines before its last gradient."""
    return SMALL.replace(DW, f"{lines}\n{DW}")


@pytest.fixture
def fails(monkeypatch):
    def fail(*_):
        raise IndexError

    monkeypatch.setattr(Judge, "judge", fail)


def test_an_exception_of_the_checkers_own_is_a_sentence(fails, check_text, tmp_path, capsys):
    del fails
    with pytest.raises(CheckError, match=r"program\.py, line 5: the checker itself failed: IndexError .*report it"):
        check_text(SMALL)
    assert main(["check", str(tmp_path / "program.py")]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)


def test_so_it_is_in_a_check_of_functions(monkeypatch):
    monkeypatch.setattr(Trial, "verdict", [].__getitem__)
    with pytest.raises(CheckError, match="the checker itself failed: TypeError"):
        handgrad.check(square, square_backward, torch.ones(3))


def test_what_is_right_or_wrong_does_not_depend_on_the_explanation(fails):
    del fails
    report = handgrad.check(square, lambda dy, x: 3 * x * dy, torch.ones(3))
    assert [row.name for row in report.blamed] == ["x"]


def test_a_wrong_option_is_the_callers_own_mistake():
    with pytest.raises(CheckError, match=r"square: it cannot be called like this: .* 'stricter'"):
        handgrad.check(square, square_backward, torch.ones(3), stricter=True)


RAISES = {
    "between the gradients": (between("raise ValueError('not yet')"), 6, "ValueError: not yet"),
    "with nothing to say": (between("raise MemoryError"), 6, "MemoryError"),
    "an assertion": (between("assert (dy == 0).all(), 'no'"), 6, "AssertionError: no"),
    "an expression": (between("1 / 0"), 6, "ZeroDivisionError"),
    "a name that is not there": (between("nowhere"), 6, "NameError"),
    "a use of a right gradient": (between("t = dy @ dy"), 6, "RuntimeError: mat1 and mat2"),
    "a look at a right gradient": (between("print(dy.nothing)"), 6, "AttributeError"),
    "in the forward pass": (SMALL.replace("loss =", "[][1]\nloss ="), 4, "IndexError"),
    "in place of a gradient": (SMALL.replace(DW, "raise NotImplementedError('dw')"), 6, "NotImplementedError: dw"),
    "no Exception": (between("raise GeneratorExit"), 6, "GeneratorExit"),
    "a class of its own": (between("class Own(BaseException): pass\nraise Own('x')"), 7, "Own: x"),
    "what cannot be shown": (
        between("class Mute(Exception):\n    def __str__(self): return 1 / 0\nraise Mute()"), 8, "Mute"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RAISES)
def test_a_program_that_raises_cannot_be_run_as_it_is(check_text, case):
    text, line, said = RAISES[case]
    report = check_text(text)
    assert not report.right
    (fault,) = report.faults
    assert fault.startswith(f"line {line}: {said}")
    assert not report.blamed


HARMLESS = {
    "handled": between("try:\n    1 / 0\nexcept ZeroDivisionError:\n    pass"),
    "after the last gradient": f"{SMALL}{{}}['x']\n",
    "a plot that is left out": between(
        "import matplotlib.pyplot as plt\ncounts, edges, bars = plt.hist(y)\nprint(len(edges) + counts)"
    ),
    "an object that answers nothing": between(
        "class Mute:\n    __slots__ = ()\n    def __getattr__(self, name): return 1 / 0\nmute = [Mute(), Mute()][1]"
    ),
    "a sparse forward pass": SMALL.replace("y = x @ w", "s = torch.eye(5).to_sparse()\ny = torch.sparse.mm(s, x) @ w"),
    "a child process": between("import os\nchild = os.fork()\nif child: os.waitpid(child, 0)"),
    "an alarm": between("import signal, time\nsignal.setitimer(signal.ITIMER_REAL, 0.01)\ntime.sleep(0.05)"),
    "its own arguments": between("import argparse\nwords = argparse.ArgumentParser().parse_args()"),
    "builtins": between("import builtins\nbuiltins.range = None"),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_does_no_harm_is_no_fault(check_text, case):
    report = check_text(HARMLESS[case])
    assert report.right, str(report)
    assert len(report.variables) >= 2


def test_an_error_that_a_wrong_gradient_brings_is_not_the_programs(check_text):
    report = check_text(between("dy = dy[0]\nprint(dy @ dy.T @ x)\nz = x - dy"))
    assert report.faults == []
    assert report.blamed


def test_a_value_on_no_device_is_told(check_text):
    with pytest.raises(CheckError, match="meta device"):
        check_text(SMALL.replace("import torch", "import torch\ntorch.set_default_device('meta')"))


@pytest.mark.parametrize("ends", ["import os; os._exit(0)", "raise SystemExit(3)", "exit()"])
def test_a_program_that_ends_itself(check_text, ends):
    report = check_text(between(ends))
    assert "line 6: the program ended itself" in report.notes[0]
    with pytest.raises(CheckError, match=r"line 1: the program ended itself .* before its first gradient"):
        check_text(f"{ends}\n{SMALL}")
    assert os._exit.__module__ == "posix"


NOISE = """\
import multiprocessing, os, subprocess, sys, threading, time
os.system('echo loud')
subprocess.run(['echo', 'loud'])
os.write(1, b'loud')
os.write(2, b'loud')
sys.__stdout__.write('loud')
threading.Thread(target=time.sleep, args=(100,)).start()
multiprocessing.Process(target=time.sleep, args=(100,)).start()
if not os.fork(): time.sleep(100)
"""


@pytest.mark.slow
def test_what_a_program_leaves_behind_neither_speaks_nor_keeps_the_command(tmp_path):
    (tmp_path / "mine.py").write_text(NOISE + SMALL)
    ended = cold("check", "mine.py", "--json", folder=tmp_path)
    assert (ended.code, ended.err, json.loads(ended.out)["right"]) == (0, "", True)


def shell(line: str) -> tuple[str, ...]:
    return ("sh", "-c", line, "sh")


@pytest.mark.slow
def test_the_exit_code_stays_where_nobody_reads_or_the_terminal_knows_few_letters(tmp_path):
    (tmp_path / "mine.py").write_text(SMALL)
    closed = cold("check", "mine.py", folder=tmp_path, before=shell('"$@" >&-'))
    assert (closed.code, closed.out, closed.err) == (0, "", "")
    ascii_only = cold("check", "mine.py", folder=tmp_path, before=("env", "PYTHONIOENCODING=ascii"))
    assert (ascii_only.code, ascii_only.err) == (0, "")
    assert "5?2" in ascii_only.out


@pytest.mark.slow
def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "mine.py")
    assert_refused(cold("check", "mine.py", folder=tmp_path), "mine.py", "not a file")
