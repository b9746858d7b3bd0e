"""Each exercise's own derivation, as the course shows it."""

import pytest

from handgrad.learn.course import Course
from handgrad.learn.derivation import derivation

COURSE = Course.load()
LOOPS = {"ch11_recurrent/04_recurrence"}


@pytest.mark.one_in(8)
@pytest.mark.parametrize("exercise", [e for e in COURSE.exercises if e.name not in LOOPS], ids=lambda e: e.name)
def test_every_gradient_that_is_asked_for_is_derived(exercise, workspace):
    shown = derivation(exercise, workspace.folder)
    wanted = [name.removeprefix("d") for name in exercise.gradients]
    assert all(f"{name} is used in" in shown for name in wanted)
    assert shown.count("✓ as autograd") >= len(wanted)


def test_a_loop_is_undone_as_one(workspace):
    shown = derivation(COURSE.find("04_recurrence"), workspace.folder)
    assert "for t in reversed(range(1, T)):  # for t in range(1, T):" in shown
    assert "    dh[t - 1] += leak * dh[t]" in shown
    assert "dupstream" not in shown
