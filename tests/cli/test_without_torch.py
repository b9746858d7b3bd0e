"""The main job on a machine that has installed no PyTorch, and what the other commands say there."""

import subprocess
import sys

import pytest

from handgrad.cli import TORCH_EXTRA

SMALL = ["train", "--model", "mlp", "--steps", "20", "--batch-size", "8", "--n-hidden", "8"]
WITHOUT = f"""
import sys
class Missing:
    def find_spec(self, name, *_):
        if name in {TORCH_EXTRA}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from handgrad.cli import main
sys.exit(main())
"""


def without_torch(folder, *words):
    return subprocess.run([sys.executable, "-c", WITHOUT, *words], cwd=folder, capture_output=True, text=True)


@pytest.mark.slow
def test_the_main_job_needs_none(tmp_path):
    commands = (
        [*SMALL, "--out", "run"], ["sample", "run", "-n", "3", "--new-only"], ["evaluate", "run"],
        ["train", "--model", "ngram", "--out", "counted"], ["mix", "run", "counted", "--out", "mixed"],
        ["sample", "mixed", "-n", "3"], ["evaluate", "mixed", "--line", "emma"],
    )  # fmt: skip
    for words in commands:
        ended = without_torch(tmp_path, *words)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout


@pytest.mark.parametrize(
    "words",
    [["lecture", "--steps", "1"], ["check", "x.py"], ["derive", "x.py"], [*SMALL, "--engine", "torch"]],
    ids=lambda words: words[0],
)
def test_what_needs_it_says_how_to_get_it(tmp_path, words):
    ended = without_torch(tmp_path, *words)
    needs = f"handgrad: 'handgrad {words[0]}' needs PyTorch here. Install it with: pip install 'handgrad[torch]'."
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == needs
    assert list(tmp_path.iterdir()) == []
