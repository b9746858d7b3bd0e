"""`handgrad check --watch` in a terminal: a check, another after each save, and Ctrl-C."""

import pexpect

from ..cli.command import ENVIRONMENT, command
from .cases import MISTAKES
from .cases.schema import program

WRONG = next(mistake for mistake in MISTAKES if mistake.id == "checker-md-09")
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
