"""Exercises 1 to 3 with each of the fifteen mistakes: the right line, kind and edit, and the edit makes it right."""

import sys
from pathlib import Path

import pytest

from handgrad.checker import check
from handgrad.checker.faces.mend import mend

sys.path.insert(0, str(Path(__file__).parent))
import lecture


def test_the_right_script_gives_no_alarm(check_text):
    report = check_text(lecture.SCRIPT)
    assert report.right
    assert not report.blamed
    assert report.loss == pytest.approx(3.5, abs=0.7)


@pytest.mark.slow
def test_the_right_notebook_gives_no_alarm(tmp_path):
    (tmp_path / "a.ipynb").write_text(lecture.notebook())
    assert check(tmp_path / "a.ipynb").right


@pytest.mark.slow
@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", lecture.MISTAKES)
def test_a_mistake_is_named_in_the_script(name, check_text):
    text = lecture.planted(lecture.SCRIPT, name)
    _, wrong, variable, kind = lecture.MISTAKES[name]
    report = check_text(text)
    assert not report.right
    found = [(row.name, d.kind, row.line) for row in report.blamed for d in row.diagnosis]
    found += [(h.variable, h.kind, h.place.line) for h in report.hazards]
    assert [(v, k) for v, k, _ in found] == [(variable, kind)]
    if wrong and kind != "in-place":
        assert wrong.strip().split("\n")[0] in text.split("\n")[found[0][2] - 1]


@pytest.mark.slow
@pytest.mark.one_in(15)
@pytest.mark.parametrize("name", [n for n, row in lecture.MISTAKES.items() if row[3] != "in-place"])
def test_the_edit_makes_the_notebook_right(name, tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text(lecture.notebook(_cells(name)))
    report = check(path)
    assert [row.name for row in report.blamed] == [lecture.MISTAKES[name][2]]
    assert report.blamed[0].place.cell is not None
    changed, backup = mend(report, path)
    assert changed == 1
    assert backup.read_text() == lecture.notebook(_cells(name))
    assert check(path).right


def _cells(name: str) -> list[str]:
    right = lecture.MISTAKES[name][0]
    return [lecture.planted(cell, name) if right in cell else cell for cell in lecture.CELLS]
