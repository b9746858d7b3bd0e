"""A repair reads as a person would write it, holds in other sizes, and stands on the one line that is wrong."""

import sys
from pathlib import Path

import pytest

from handgrad.checker.faces.mend import mended

sys.path.insert(0, str(Path(__file__).parent))
from cases import relatives


@pytest.mark.one_in(9)
@pytest.mark.parametrize(("program", "part", "wrong", "kind", "repair"), relatives.MISTAKES)
def test_a_repair_reads_as_a_person_would_write_it(program, part, wrong, kind, repair, check_text):
    text, line, right = relatives.planted(program, part, wrong)
    report = check_text(text)
    assert not report.hazards
    ((row, found),) = ((row, one) for row in report.blamed for one in row.diagnosis)
    assert (row.line, found.kind, found.fix) == (line, kind, repair or right)
    again = check_text(mended(text, [found]))
    assert again.right
    assert not again.blamed
