"""The process that checks: it imports PyTorch once, and forks for every answer, so that no answer can harm the next.

It reads a request a line from stdin and writes two lines for each: the process id to kill where it takes too long, and
the verdict (null where that process was killed or broke down).
"""

import contextlib
import io
import json
import os
import signal
import sys
import traceback
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from handgrad.checker.inspection import check_source
from handgrad.checker.read.source import parse_code
from handgrad.checker.render import sentence
from handgrad.checker.report import Report
from handgrad.checker.run.machine import Machine
from handgrad.errors import HandgradError
from handgrad.learn import source
from handgrad.learn.course import Course, Exercise
from handgrad.learn.verdict import Finding, Row, Verdict

SECOND_SEED = 2
RIGHT = ("exact", "close")
GRACE = 5
ANSWERED = 42
"""Exit code of a process that wrote its verdict, which no program is likely to leave with by itself."""


def serve() -> None:
    """Answer requests until stdin ends."""
    torch.set_num_threads(1)
    course = Course.load()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers, open(os.devnull, "w") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        for line in sys.stdin:
            request = json.loads(line)
            exercise = course.by_name[request["exercise"]]
            if not hasattr(os, "fork"):
                _answer(exercise, request, answers)
            elif child := os.fork():
                if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != ANSWERED:
                    print("null", file=answers, flush=True)
            else:
                signal.alarm(int(exercise.time_limit) + GRACE)  # should nobody be left to kill it
                try:
                    _answer(exercise, request, answers)
                except BaseException:
                    os._exit(1)
                os._exit(ANSWERED)


def _answer(exercise: Exercise, request: dict[str, str], answers: io.TextIOBase) -> None:
    print(os.getpid(), file=answers, flush=True)
    os.chdir(request["folder"])
    print(json.dumps(asdict(examine(exercise, request["text"]))), file=answers, flush=True)


def examine(exercise: Exercise, text: str) -> Verdict:
    """The verdict on a text that parses and has all that was given in place."""
    try:
        first = _check(exercise, text)
        if not first.solved:
            raised = _raised(exercise, text)
            return replace(first, status="error", message=raised[1], line=raised[0]) if raised else first
        second = _check(exercise, source.resize(text, exercise.sizes, SECOND_SEED))
    except HandgradError as error:
        return Verdict("error", f"{error.what}.", _line_of(error))
    if not second.solved:
        sizes = ", ".join(f"{name} = {size}" for name, size in exercise.sizes.items())
        message = f"Right for the sizes in the file, but not with {sizes} and another seed; the table shows that run."
        return Verdict("wrong", message, rows=second.rows, findings=second.findings)
    if exercise.max_lines and source.code_lines(text) > exercise.max_lines:
        return Verdict("long", _too_long(exercise, source.code_lines(text)), rows=first.rows)
    if exercise.training:
        return _train(exercise, text, first)
    return first


def _check(exercise: Exercise, text: str) -> Verdict:
    report = check_source(parse_code(text, exercise.file), Machine(Path.cwd()), strict=True)
    rows = _rows(exercise, report)
    findings = _findings(report)
    left = [row.gradient for row in rows if row.verdict == "missing"]
    if not findings and all(row.verdict in RIGHT for row in rows):
        return Verdict("right", rows=rows)
    if not findings and left:
        return Verdict("unfinished", f"Not written yet: {', '.join(left)}.", rows=rows)
    return Verdict("wrong", rows=rows, findings=findings)


def _rows(exercise: Exercise, report: Report) -> list[Row]:
    """A row for each gradient that was asked for, in the exercise's order."""
    found = {v.gradient: v for v in report.variables}
    rows = []
    for name in exercise.gradients:
        v = found.get(name)
        if v is None:
            rows.append(Row(name, "", "missing"))
            continue
        verdict = "inherited" if v.cause == "inherited" else v.verdict
        rows.append(Row(name, "×".join(map(str, v.shape)), verdict, v.exact, v.approximate, v.maxdiff))
    return rows


def _findings(report: Report) -> list[Finding]:
    found = []
    for row in report.blamed:
        if row.verdict != "missing":
            one = row.diagnosis[0]
            found.append(Finding(row.line, row.text, row.gradient, one.kind, sentence(one, hint=2), one.fix))
    by_line = {hazard.place.line: hazard for hazard in reversed(report.hazards)}  # names may share a tensor
    for hazard in by_line.values():
        fix = hazard.repair.fix if hazard.repair else None
        found.append(Finding(hazard.place.line, hazard.text, hazard.variable, hazard.kind, hazard.message, fix))
    return found


def _raised(exercise: Exercise, text: str) -> tuple[int, str] | None:
    """Line and message of the exception that the answer raises, if it is run as the program that it is."""
    names = {"__name__": "__main__"}
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(source.resize(text, {"max_steps": 2}, SECOND_SEED), exercise.file, "exec"), names)
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == exercise.file and frame.lineno]
        if lines and source.is_answer(text, lines[0]):
            first, _, _ = str(error).strip().partition("\n")
            return lines[0], f"{type(error).__name__}: {first}"
    return None


def _too_long(exercise: Exercise, lines: int) -> str:
    allowed = f"{exercise.max_lines} line{'s' if exercise.max_lines != 1 else ''}"
    return f"Right, and now in closed form: your answer has {lines} lines, and {allowed} will do."


def _train(exercise: Exercise, text: str, checked: Verdict) -> Verdict:
    """Run the loop for real, and see whether the loss falls as far as it should."""
    assert exercise.training is not None
    steps, target = exercise.training.steps, exercise.training.loss
    names: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        exec(compile(source.resize(text, {"max_steps": steps}, 2147483647), exercise.file, "exec"), names)
    last = names["losses"][-steps // 10 :]
    loss = sum(last) / len(last)
    if not loss < target:
        message = f"The gradients are right, yet after {steps:,} steps the loss is {loss:.3f}, not below {target:g}."
        return Verdict("wrong", message, rows=checked.rows)
    return Verdict("right", f"After {steps:,} steps the loss is {loss:.3f}.", rows=checked.rows)


def _line_of(error: HandgradError) -> int | None:
    _, found, number = str(error.where or "").rpartition("line ")
    return int(number) if found and number.isdigit() else None


if __name__ == "__main__":
    serve()
