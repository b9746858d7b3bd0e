"""What the runner makes of answers: not written, wrong in a known way, not by hand, and worse."""

import threading
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from handgrad.learn import source
from handgrad.learn.course import Course
from handgrad.learn.judge import at_a_glance

COURSE = Course.load()
MISTAKES = tomllib.loads((Path(__file__).parent / "mistakes.toml").read_text())["mistake"]
CENTRE = COURSE.find("04_centre")


@pytest.fixture
def verdict(judge, workspace):
    """Judge a file with this answer, or one made from it by `change`."""

    def verdict(exercise, answer, change=lambda text: text, **options):
        return judge.judge(exercise, change(source.graft(exercise.text, answer)), workspace.folder, **options)

    return verdict


@pytest.mark.parametrize("exercise", COURSE.exercises, ids=lambda e: e.name)
def test_an_unsolved_exercise_is_not_written_yet_and_nothing_else(exercise):
    found = at_a_glance(exercise, exercise.text)
    assert (found.status, found.findings) == ("unwritten", [])
    assert found.message == f"Write {', '.join(exercise.gradients)} below '# YOUR CODE HERE', and save."


@pytest.mark.one_in(40)
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: f"{m['exercise']}: {m['wrong']}")
def test_a_typical_mistake_is_diagnosed(mistake, verdict):
    exercise = COURSE.by_name[mistake["exercise"]]
    answer = source.cut(exercise.solution).answer.replace(mistake["right"], mistake["wrong"], 1)
    found = verdict(exercise, answer)
    assert found.status == "wrong"
    assert {finding.kind for finding in found.findings} == {mistake["kind"]}


def test_what_is_not_written_is_named_and_the_rest_is_judged(verdict):
    found = verdict(COURSE.find("01_chain"), "dy = dz\ndb = a * dy\n")
    assert (found.status, found.message) == ("unfinished", "Not written yet: da, dc.")
    assert [row.verdict for row in found.rows] == ["exact", "missing", "exact", "missing"]


def test_an_answer_must_hold_for_other_sizes(verdict):
    found = verdict(CENTRE, "dx = dy - dy.sum(0, keepdim=True) / 5\n")
    assert found.status == "wrong"
    assert "not with N = 3, D = 4 and another seed" in found.message


def test_a_closed_form_must_be_short(verdict):
    found = verdict(CENTRE, "shift = dy.mean(0, keepdim=True)\ndx = dy - shift\n")
    assert found.status == "long"
    assert "your answer has 2 lines, and 1 line will do" in found.message


def test_a_shape_that_only_broadcasts_is_wrong(verdict):
    found = verdict(
        COURSE.find("02_gain"), "dgain = (x * dy).sum(0)\ndbias = dy.sum(0, keepdim=True)\ndx = gain * dy\n"
    )
    assert [(f.kind, f.line) for f in found.findings] == [("shape", 25)]


@pytest.mark.parametrize(
    ("answer", "change", "status", "line", "fragment"),
    [
        ("dx = x.grad\n", None, "forbidden", 24, "has PyTorch find the gradient"),
        ("dx = (dy\n", None, "syntax", 24, "'(' was never closed"),
        ("if True:\n        dx = dy\n\tdx = dy\n", None, "syntax", 26, "TabError"),
        ("dx = dy @ dy\n", None, "error", 24, "RuntimeError: mat1 and mat2"),
        ("u = nothing\ndx = u\n", None, "error", 24, "NameError: name 'nothing' is not defined"),
        ("import os\nos._exit(0)\ndx = dy\n", None, "error", None, "without an answer"),
        ("import sys\nsys.exit(0)\ndx = dy\n", None, "error", 25, "SystemExit"),
        ("dx = dy\n", ("dy = upstream", "dy = upstream * 0"), "changed", 21, "was given"),
        ("dx = dy\n", (source.BEGIN, ""), "changed", None, "is missing"),
    ],
    ids=["grad", "bracket", "tabs", "product", "name", "exit", "sys.exit", "given", "mark"],
)
def test_files_that_cannot_be_judged(verdict, answer, change, status, line, fragment):
    found = verdict(CENTRE, answer, *([lambda text: text.replace(*change, 1)] if change else []))
    assert (found.status, found.line) == (status, line)
    assert fragment in found.message


def test_no_file_and_an_empty_one(judge, workspace):
    assert judge.judge(CENTRE, None, workspace.folder).status == "gone"
    assert judge.judge(CENTRE, "", workspace.folder).status == "changed"


@pytest.mark.parametrize("name", ["02_used_twice", "06_training"])
def test_a_file_that_is_half_written_is_no_accident(name):
    exercise = COURSE.find(name)
    for length in range(0, len(exercise.solution), 7):
        found = at_a_glance(exercise, exercise.solution[:length])
        assert found is None or found.status in ("syntax", "changed", "unwritten")


def test_a_loop_without_end_is_stopped_and_the_next_check_works(verdict):
    endless = "while True:\n    dx = dy\n"
    assert verdict(replace(CENTRE, time_limit=1.0), endless).status == "timeout"
    assert verdict(CENTRE, source.cut(CENTRE.solution).answer).solved


def test_a_check_can_be_cancelled(verdict):
    cancelled = threading.Event()
    threading.Timer(0.5, cancelled.set).start()
    begun = time.monotonic()
    assert verdict(CENTRE, "while True:\n    dx = dy\n", cancelled=cancelled) is None
    assert time.monotonic() - begun < CENTRE.time_limit
    assert verdict(CENTRE, source.cut(CENTRE.solution).answer).solved


@pytest.mark.slow
def test_a_checking_process_that_was_killed_is_started_again(judge, verdict):
    assert verdict(CENTRE, source.cut(CENTRE.solution).answer).solved
    judge.worker.process.kill()
    judge.worker.process.wait()
    assert verdict(CENTRE, source.cut(CENTRE.solution).answer).solved
