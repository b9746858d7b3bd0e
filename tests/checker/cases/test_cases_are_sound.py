"""Every row of the table is true, by plain execution and autograd."""

import pytest

from . import BADLY_FORMED, MISTAKES, PROGRAMS, SEVERAL, SPELLINGS
from .validate import CHECKS

ROWS = [pytest.param(check, case, id=f"{type(case).__name__}-{case.id}") for cases, check in CHECKS for case in cases]


@pytest.mark.parametrize(("check", "case"), ROWS)
def test_case_is_sound(check, case):
    assert check(case) == []


@pytest.mark.parametrize("table", [PROGRAMS, MISTAKES, SEVERAL, SPELLINGS, BADLY_FORMED])
def test_ids_are_unique(table):
    ids = [case.id for case in table]
    assert len(ids) == len(set(ids))
