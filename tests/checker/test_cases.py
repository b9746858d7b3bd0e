"""The whole table of cases: every mistake is found, put on its own line and explained; no right line is blamed."""

import sys
from pathlib import Path

import pytest

from handgrad.checker import Report
from handgrad.errors import HandgradError

sys.path.insert(0, str(Path(__file__).parent))
import cases

NOT_FOUND = frozenset({"dropout/keep-as-a-mask"})
"""A forward name used for something else, and as such by its only reader: every value is right."""

AS_RIGHT = {
    "cosine/dnorm_i-power": "wrong-variable",
    "cosine/dzi-not-normalised": "wrong-variable",
    "layer_norm/dstd-power": "wrong-variable",
    "rms_norm/dmargin-inner-sign": "extra-factor",
    "rms_norm/dmargin-other-side": "sign",
}
"""Explained by another single edit, which is as right as the one the case names."""


def blamed(report: Report) -> set[str]:
    return {row.name for row in report.blamed if row.verdict != "shape"}


KNOWN = pytest.mark.xfail(strict=True, reason="known, see the tables above")


def by_id(rows, *fields):
    """The rows as parameters: the first with each value of the fields in the quick lane, the others slow."""
    seen, parameters = set(), []
    for row in rows:
        new = {(field, getattr(row, field)) for field in fields} - seen
        seen |= new
        marks = [] if new or not fields else [pytest.mark.slow]
        marks += [KNOWN] if row.id in NOT_FOUND else []
        parameters.append(pytest.param(row, id=row.id, marks=marks))
    return parameters


@pytest.mark.one_in(24)
@pytest.mark.parametrize("mistake", by_id(cases.MISTAKES + cases.SECOND.mistakes, "kind", "program"))
def test_a_mistake_is_found_blamed_and_explained(mistake, check_text):
    report = check_text(mistake.source)
    warned = mistake.warning and any(row.verdict == "shape" for row in report.variables)
    assert warned or not report.right
    hazards = {hazard.variable for hazard in report.hazards}
    assert hazards == ({mistake.variable} if mistake.hazard else set())
    own = {row.name for row in report.blamed}
    assert own == (set() if mistake.hazard else {mistake.variable})
    kinds = {d.kind for row in report.blamed for d in row.diagnosis} | {h.kind for h in report.hazards}
    assert kinds & {mistake.kind, *mistake.also, AS_RIGHT.get(mistake.id)}


@pytest.mark.one_in(12)
@pytest.mark.parametrize("several", by_id(cases.SEVERAL + cases.SECOND.several, "program"))
def test_several_mistakes_are_each_blamed_on_their_own_line(several, check_text):
    report = check_text(several.source)
    assert blamed(report) == {e.variable for e in several.edits if not e.hazard and not e.warning}
    assert {h.variable for h in report.hazards} == {e.variable for e in several.edits if e.hazard}


@pytest.mark.one_in(24)
@pytest.mark.parametrize(
    "spelling", by_id([*cases.PROGRAMS, *cases.SPELLINGS, *cases.SECOND.programs, *cases.SECOND.spellings])
)
def test_a_right_program_gives_no_alarm(spelling, check_text):
    report = check_text(spelling.source)
    assert report.right
    assert not [row for row in report.variables if row.verdict in ("wrong", "masked")]


@pytest.mark.one_in(12)
@pytest.mark.parametrize("program", by_id(cases.BADLY_FORMED + cases.SECOND.badly_formed))
def test_a_file_that_cannot_be_checked_gives_a_sentence(program, check_text):
    try:
        report = check_text(program.source, timeout=2.0 if program.endless else 60.0)
    except HandgradError as error:
        code, said, blames = 2, [str(error)], set()
    else:
        code, said, blames = _code(report), _said(report), blamed(report)
    assert code in program.exit_codes
    assert blames == set(program.blamed)
    assert not program.expect or any(word in one for word in program.expect for one in said), said


def _code(report: Report) -> int:
    """The exit code of 'handgrad check'."""
    return 2 if report.faults else 0 if report.right else 1


def _said(report: Report) -> list[str]:
    """All that is said: the verdicts but for those of right gradients, and the sentences."""
    verdicts = [row.verdict for row in report.variables if row.verdict not in ("exact", "close")]
    found = (
        verdicts + [one.message for row in report.blamed for one in row.diagnosis] + [h.message for h in report.hazards]
    )
    return [*found, *report.notes, *report.faults, *map(str, report.unjudged)]


def test_what_is_known_is_in_the_tables():
    rows = (cases.MISTAKES, cases.SECOND.mistakes, cases.SEVERAL, cases.SECOND.several)
    ids = {row.id for table in rows for row in table}
    assert NOT_FOUND | AS_RIGHT.keys() <= ids
