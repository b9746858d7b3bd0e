"""Every row of the table is true, by plain execution and autograd; and a row that were not would be noticed."""

from dataclasses import replace

import pytest

from . import BADLY_FORMED, MISTAKES, PROGRAMS, SECOND, SEVERAL, SPELLINGS
from .schema import KINDS, CaseError, Mistake, Several, Spelling, changed, program
from .validate import CHECKS, check_mistake, check_several, check_spelling

ROWS = [pytest.param(check, case, id=f"{type(case).__name__}-{case.id}") for cases, check in CHECKS for case in cases]
BY_ID = {mistake.id: mistake for mistake in MISTAKES}
SIGN = BY_ID["lecture_chunked/dbnvar-sign"]
HIDDEN = BY_ID["lecture_chunked/db1-sign"]
ALIAS = BY_ID["checker-md-15"]
STUB = BY_ID["lecture_chunked/dC-stub"]


@pytest.mark.tables
@pytest.mark.parametrize(("check", "case"), ROWS)
def test_case_is_sound(check, case):
    assert check(case) == []


@pytest.mark.parametrize("table", [PROGRAMS, MISTAKES, SEVERAL, SPELLINGS, BADLY_FORMED, *vars(SECOND).values()])
def test_ids_are_unique(table):
    ids = [case.id for case in table]
    assert len(ids) == len(set(ids))


def test_every_kind_and_every_program_has_a_mistake():
    assert {mistake.kind for mistake in MISTAKES} == set(KINDS)
    assert {mistake.program for mistake in MISTAKES} == {case.id for case in PROGRAMS}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (replace(SIGN, variable="bnvar_inv"), "expected dbnvar_inv"),
        (replace(SIGN, wrong=SIGN.right.replace("-0.5", "-1 / 2")), "differ, expected dbnvar"),
        (replace(SIGN, fix=SIGN.right.replace("-0.5", "-0.6")), "fix: torch.float64: differs from autograd"),
        (replace(SIGN, fix="dbnvar = nonsense"), "fix: torch.float64: stops with NameError"),
        (replace(SIGN, kind="plus"), "unknown kind"),
        (replace(SIGN, runs=False), "ended with None"),
        (replace(SIGN, masked=True), "not masked"),
        (replace(HIDDEN, masked=False), "expected db1"),
        (replace(HIDDEN, wrong="db1 = dhprebn.sum(dim=0)"), "the same under a random upstream"),
        (replace(ALIAS, wrong="dhprebn = dbndiff + 0"), "keeps its value"),
        (replace(STUB, variable="W1"), "is not None"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_false_mistake_is_noticed(row, says):
    assert says in " ".join(check_mistake(row))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (SIGN.source, "differs from autograd: dC, dW1"),
        (program("lecture_chunked").replace("db2 = dlogits.sum(0)", "db2 = dlogits.sum(0)[None]"), "autograd: db2"),
        ("import torch\n", "too few gradients"),
        ("import torch\n1 / 0\n", "stops with ZeroDivisionError"),
    ],
)
def test_a_false_spelling_is_noticed(source, says):
    assert says in " ".join(check_spelling(Spelling("false", source)))


@pytest.mark.slow
def test_mistakes_of_one_line_are_not_several():
    twice = Several("false", SIGN.program, (BY_ID["checker-md-01"].edit, HIDDEN.edit))
    assert check_several(twice) == []
    assert "expected two or three" in " ".join(check_several(replace(twice, edits=twice.edits[:1])))


@pytest.mark.parametrize(("old", "times"), [("dnonsense = 0", 0), ("dlogits", 5)])
def test_a_snippet_that_is_not_there_once_is_refused(old, times):
    with pytest.raises(CaseError, match=rf"expected '{old}' once, found it {times} times"):
        changed("lecture_chunked", (old, ""))


def test_a_mistake_is_its_program_with_the_snippet_replaced():
    row = Mistake("planted", "gelu_mlp", "db2 = dpred.sum(0)", "db2 = dpred", "b2", "missing-sum")
    assert row.source == program("gelu_mlp").replace("db2 = dpred.sum(0)", "db2 = dpred")
