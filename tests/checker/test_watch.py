"""`handgrad check --watch` in a terminal: a check, another after each save, and Ctrl-C."""

import pexpect
import pytest

from ..cli.command import ENVIRONMENT, command
from .cases import MISTAKES
from .cases.schema import program

WRONG = next(mistake for mistake in MISTAKES if mistake.id == "checker-md-09")
CLEAR = "\x1b[2J"
WATCHING = "watching mine.py; Ctrl-C ends"


def test_each_save_is_checked(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(WRONG.source)
    first, *words = command("check", "mine.py", "--watch")
    terminal = pexpect.spawn(first, words, cwd=str(tmp_path), env=ENVIRONMENT, timeout=60, encoding="utf-8")
    try:
        terminal.expect_exact("db2 = dlogits")
        terminal.expect_exact("1 line is at fault.")
        terminal.expect_exact(WATCHING)

        path.write_text("dlogits = (\n")
        terminal.expect_exact(CLEAR)
        terminal.expect_exact("handgrad: ")
        terminal.expect_exact("'(' was never closed")
        terminal.expect_exact(WATCHING)

        mended = tmp_path / "mine.py.new"  # as editors do: written beside it, then renamed
        mended.write_text(program(WRONG.program))
        mended.replace(path)
        terminal.expect_exact("All 26 gradients are right.")
        terminal.expect_exact(WATCHING)

        terminal.sendintr()
        terminal.expect(pexpect.EOF)
        assert "Traceback" not in terminal.before
    finally:
        terminal.close()
    assert terminal.exitstatus == 0


@pytest.mark.slow
def test_a_module_beside_the_program_is_watched_too(tmp_path):
    (tmp_path / "mine.py").write_text(SPLIT)
    (tmp_path / "parts").mkdir()
    helper = tmp_path / "parts" / "slopes.py"
    helper.write_text("def of_tanh(h):\n    return 1 - h\n")
    first, *words = command("check", "mine.py", "--watch")
    terminal = pexpect.spawn(first, words, cwd=str(tmp_path), env=ENVIRONMENT, timeout=60, encoding="utf-8")
    try:
        terminal.expect_exact("1 line is at fault.")
        terminal.expect_exact(WATCHING)
        helper.write_text("def of_tanh(h):\n    return 1 - h**2\n")
        terminal.expect_exact("All 3 gradients are right.")
        terminal.sendintr()
        terminal.expect(pexpect.EOF)
    finally:
        terminal.close()
    assert terminal.exitstatus == 0
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mine.py", "parts", "slopes.py"]


SPLIT = """\
import torch
from parts import slopes

x, W = torch.randn(5, 3), torch.randn(3, 2, requires_grad=True)
z = x @ W
h = z.tanh()
loss = (h**2).mean()
dh = 2 * h / h.numel()
dz = dh * slopes.of_tanh(h)
dW = x.T @ dz
"""
