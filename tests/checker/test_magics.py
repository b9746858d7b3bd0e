"""The magics in a shell without a screen."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("IPython")
from IPython.core.interactiveshell import InteractiveShell

sys.path.insert(0, str(Path(__file__).parent))
import lecture

from handgrad.checker.magics import load_ipython_extension


@pytest.fixture(scope="module")
def shell():
    shell = InteractiveShell.instance()
    load_ipython_extension(shell)
    for cell in (lecture.SETUP.replace("import matplotlib.pyplot as plt", ""), lecture.PARAMETERS):
        assert shell.run_cell(cell).success
    return shell


def test_the_lecture_cells_give_a_table(shell):
    shell.run_cell_magic("forward", "", lecture.FORWARD)
    shown = shell.run_cell_magic("backward", "", lecture.CHUNKED.split("\ncmp(")[0])._repr_html_()
    assert shown.count("<tr style") == 26
    assert "All 26 gradients are right." in shown


def test_a_line_at_fault_is_shown_with_pictures(shell):
    shell.run_cell_magic("forward", "", lecture.FORWARD)
    cell = lecture.planted(lecture.CHUNKED, "not-squared").split("\ncmp(")[0]
    report = shell.run_cell_magic("backward", "", cell)
    shown = report._repr_html_()
    assert "h ** 2" in shown
    assert shown.count("<svg") == 3
    assert [row.name for row in report.report.blamed] == ["hpreact"]


def test_check_without_a_forward_pass_says_what_to_do(shell, capsys):
    load_ipython_extension(shell)
    assert shell.run_line_magic("check", "") is None
    assert "Put %%forward over the cell" in capsys.readouterr().out
