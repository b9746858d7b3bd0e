"""The fixture in pytest runs of its own, found by the entry point that pyproject.toml declares."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = """\
import sys

TORCH_AT_START = "torch" in sys.modules

import pytest
import torch


def forward(x, w):
    h = x @ w
    return h.tanh(), (x, w, h)


def right(dout, cache):
    x, w, h = cache
    dh = dout * (1 - h.tanh() ** 2)
    return dh @ w.T, x.T @ dh


def wrong(dout, cache):
    x, w, h = cache
    dh = dout * (1 - h.tanh())
    return dh @ w.T, x.T @ dh


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, dout):
        (x,) = ctx.saved_tensors
        return FACTOR * x * dout


def test_start():
    assert not TORCH_AT_START


def test_right(check_gradients):
    report = check_gradients(forward, right, torch.randn(5, 3), torch.randn(3, 2))
    assert [row.name for row in report.variables] == ["x", "w"]


@pytest.mark.parametrize("hint", [1, 2, 3])
def test_wrong(check_gradients, hint):
    check_gradients(forward, wrong, torch.randn(5, 3), torch.randn(3, 2), hint=hint)


@pytest.mark.parametrize("factor", [2, 3])
def test_function(check_gradients, factor, monkeypatch):
    monkeypatch.setitem(globals(), "FACTOR", factor)
    check_gradients(Square, torch.randn(4))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> dict[str, str]:
    """What a run of `TESTS` says of each test that fails, and its whole output under the name `output`."""
    folder = tmp_path_factory.mktemp("plugin")
    installed = folder / "site" / "handgrad_entry_point-0.dist-info"
    installed.mkdir(parents=True)
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    lines = [f"{name} = {module}" for name, module in points.items()]
    (installed / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines, ""]))
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: handgrad-entry-point\nVersion: 0\n")
    (folder / "test_mine.py").write_text(TESTS)
    path = os.pathsep.join([str(installed.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "-c", os.devnull, "--rootdir", ".", "."],
        cwd=folder, env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    said = {"output": ended.stdout + ended.stderr}
    name = None
    for line in ended.stdout.splitlines():
        if line.startswith("____"):
            name = line.strip("_ ")
            said[name] = ""
        elif line.startswith("===="):
            name = None
        elif name:
            said[name] += line + "\n"
    return said


def test_right_gradients_pass(run):
    assert "PASSED test_mine.py::test_right" in run["output"], run["output"]
    assert "PASSED test_mine.py::test_function[2]" in run["output"]


def test_the_plugin_loads_no_torch(run):
    assert "PASSED test_mine.py::test_start" in run["output"]


def test_a_failure_is_the_diagnosis_and_nothing_else(run):
    shown = run["test_wrong[3]"]
    assert "dh = dout * (1 - h.tanh())" in shown
    assert "right: dh = dout * (1 - h.tanh()**2)" in shown
    assert re.match(r"test_mine.py:22: dh is wrong: a (constant is wrong|factor is missing): uses ", shown)
    assert "1 line is at fault." in shown
    assert [word for word in ("Traceback", "def ", "tensor(", "check_gradients", "assert") if word in shown] == []


def test_hints_give_less_away(run):
    assert "right:" not in run["test_wrong[2]"]
    assert "wrong (" in run["test_wrong[2]"]
    assert "wrong: look at dh again." in run["test_wrong[1]"]


def test_an_autograd_function_is_explained_too(run):
    shown = run["test_function[3]"]
    assert "uses `FACTOR`; it should be `FACTOR - 1`" in shown
    assert re.match(r"test_mine.py:\d+: dx is wrong: ", shown)
    assert "wrong (" in shown
