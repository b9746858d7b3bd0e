"""The fixture in a test run of its own."""

import subprocess
import sys

TEST = """\
import torch

def forward(x, w):
    return x * w, (x, w)

def right(dout, cache):
    x, w = cache
    return dout * w, dout * x

def wrong(dout, cache):
    x, w = cache
    return dout * w, dout * w

def test_right(check_gradients):
    check_gradients(forward, right, torch.randn(3), torch.randn(3))

def test_wrong(check_gradients):
    check_gradients(forward, wrong, torch.randn(3), torch.randn(3))
"""


def test_a_failure_shows_the_diagnosis(tmp_path):
    (tmp_path / "test_mine.py").write_text(TEST)
    words = ["-p", "handgrad.checker.pytest_plugin", "-p", "no:cacheprovider", "-q", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert "1 failed, 1 passed" in done.stdout
    assert "x in place of w" in done.stdout
