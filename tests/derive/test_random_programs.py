"""Backward passes of random programs are right or refused; and a mistake in a rule is found by the same search."""

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis.errors import NoSuchExample

from handgrad.derive.closed import closed
from handgrad.derive.lines import lines_backward
from handgrad.derive.rules import elementwise
from handgrad.derive.shortest import shortest
from handgrad.derive.verify import Reference, Verification, references, verify
from handgrad.derive.verify.comparison import _matters
from handgrad.errors import DeriveError

from .random_programs import programs, read

PATIENT = settings(deadline=None, database=None, derandomize=True, suppress_health_check=[*HealthCheck])


def nothing_against(found: Verification, derived) -> bool:
    """Whether a backward pass is right, or rightly has nothing in it."""
    return found.complete or not (found.checks or found.failure or found.missing or derived.lines)


def by_lines(lines: str) -> None:
    try:
        program = read(lines)
        derived = lines_backward(program)
    except DeriveError:
        return
    found = verify(program, derived)
    assert nothing_against(found, derived), (found.failure, found.changed, found.missing, found.wrong, derived.source)


def in_closed_form(lines: str) -> None:
    program = read(lines)
    known = references(program)
    for name in (name for name in program.inputs if _matters(name, known)):
        try:
            derived = closed(program, name)
        except DeriveError:
            continue
        against: tuple[Reference, ...] = references(program, kinds=True) if derived.facts else known
        found = verify(program, derived, against=against)
        assert found.right, (name, found.failure, found.changed, found.wrong, derived.source)


def in_shortest_form(lines: str) -> None:
    program = read(lines)
    try:
        derived = shortest(program)
    except DeriveError:
        return
    found = verify(program, derived)
    assert nothing_against(found, derived), (found.failure, found.changed, found.missing, found.wrong, derived.source)


@pytest.mark.slow
@settings(PATIENT, max_examples=40)
@given(programs())
def test_random_programs_line_by_line(lines):
    by_lines(lines)


@pytest.mark.slow
@settings(PATIENT, max_examples=1000)
@given(programs(most=8))
def test_longer_random_programs_line_by_line(lines):
    by_lines(lines)


@settings(PATIENT, max_examples=10)
@given(programs(most=3))
def test_closed_forms_of_random_programs(lines):
    in_closed_form(lines)


@pytest.mark.slow
@settings(PATIENT, max_examples=300)
@given(programs(most=4))
def test_closed_forms_of_more_random_programs(lines):
    in_closed_form(lines)


@pytest.mark.slow
@settings(PATIENT, max_examples=150)
@given(programs(most=4))
def test_shortest_forms_of_random_programs(lines):
    in_shortest_form(lines)


PLANTED = [
    ("tanh", "1 - y"),
    ("log", "1 / (1 + x)"),
    pytest.param("sigmoid", "y * (1 + y)", marks=pytest.mark.slow),
    pytest.param("sqrt", "1 / y", marks=pytest.mark.slow),
    pytest.param("sin", "-torch.cos(x)", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("function", "slope"), PLANTED)
def test_a_mistake_in_a_rule_is_found(function, slope, monkeypatch):
    monkeypatch.setitem(elementwise.SLOPES, function, slope)

    def is_wrong(lines: str) -> bool:
        try:
            by_lines(lines)
        except AssertionError:
            return True
        return False

    try:
        find(programs(most=3), is_wrong, settings=settings(PATIENT, max_examples=400, phases=[Phase.generate]))
    except NoSuchExample:
        pytest.fail(f"no program shows that the slope of {function} is wrong")
