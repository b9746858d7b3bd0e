"""The report for programs: JSON, lines as compilers write them, annotations of GitHub, and SARIF."""

import json as json_format
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from handgrad.checker.render.explanations import Remark, located, remarks, shown_path
from handgrad.checker.render.sentences import MESSAGES, left_over

if TYPE_CHECKING:
    from handgrad.checker.place import Place
    from handgrad.checker.report import Diagnosis, Hazard, Report, VariableReport

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def json(report: "Report") -> dict[str, Any]:
    """The report for a program."""
    return {
        "loss": _finite(report.loss),
        "right": report.right,
        "variables": [row_json(row) for row in report.variables],
        "hazards": [hazard_json(hazard) for hazard in report.hazards],
        "unjudged": [
            {"gradient": one.gradient, **_place_json(one.place), "reason": one.reason} for one in report.unjudged
        ],
        "notes": report.notes,
        "errors": report.faults,
    }


def row_json(row: "VariableReport") -> dict[str, Any]:
    """One gradient for a program."""
    return {
        "name": row.name,
        "gradient": row.gradient,
        "shape": row.shape,
        **_place_json(row.place),
        "verdict": row.verdict,
        "exact": row.exact,
        "approximate": row.approximate,
        "maxdiff": _finite(row.maxdiff),
        "relative_error": _finite(row.relative_error),
        "cause": row.cause,
        "proven": row.proven,
        "diagnosis": [_diagnosis_json(one) for one in row.diagnosis],
    }


def _diagnosis_json(one: "Diagnosis") -> dict[str, Any]:
    left = left_over(one.left_over) if one.left_over else None
    return {"kind": one.kind, "message": one.message, "fix": one.fix, "left_over": left, **_place_json(one.place)}


def hazard_json(one: "Hazard") -> dict[str, Any]:
    """One hazard for a program."""
    return {"kind": one.kind, "variable": one.variable, **_place_json(one.place), "message": one.message}


def _place_json(place: "Place | None") -> dict[str, int | None]:
    if place is None:
        return {"cell": None, "line": None}
    return {"cell": place.called if place.cell is not None else None, "line": place.line}


def _finite(number: float | None) -> float | None:
    return number if number is not None and abs(number) < float("inf") else None


def short(report: "Report") -> str:
    """A line each, as compilers write them: `file:line: kind: message`."""
    said = [f"{located(one.at, report.file)}{one.kind}: {one.told}" for one in remarks(report)]
    return "\n".join(said)


def github(report: "Report") -> str:
    """A workflow command each, which GitHub shows beside the line."""
    said = []
    for one in remarks(report):
        fields = {"file": _path(one, report), "title": f"handgrad: {one.kind}"}
        if one.at and one.at.line and one.at.cell is None:
            fields["line"] = str(one.at.line)
        told = one.told if one.at is None or one.at.cell is None else f"{one.at}: {one.told}"
        options = ",".join(f"{name}={_escaped(value, ',:')}" for name, value in fields.items() if value)
        said.append(f"::{'error' if one.fault else 'warning'} {options}::{_escaped(told)}")
    said += [f"::error title=handgrad::{_escaped(fault)}" for fault in report.faults]
    said += [f"::notice title=handgrad::{_escaped(note)}" for note in report.notes]
    return "\n".join(said)


def _escaped(text: str, more: str = "") -> str:
    return "".join(f"%{ord(c):02X}" if c in f"%\r\n{more}" else c for c in text)


def sarif(report: "Report") -> str:
    """A log in SARIF 2.1.0."""
    found = remarks(report)
    kinds = sorted({one.kind for one in found})
    rules = [{"id": kind, "shortDescription": {"text": f"{MESSAGES.get(kind, kind)}."}} for kind in kinds]
    driver = {"name": "handgrad", "rules": rules}
    raised = [{"level": "error", "message": {"text": fault}} for fault in report.faults]
    noted = [{"level": "note", "message": {"text": note}} for note in report.notes]
    ended = {"executionSuccessful": not raised, "toolExecutionNotifications": raised + noted}
    results = [_result(one, kinds.index(one.kind), report) for one in found]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "invocations": [ended], "results": results}
    return json_format.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(one: Remark, rule: int, report: "Report") -> dict[str, Any]:
    path, told = _path(one, report), one.told
    if one.at is not None and one.at.cell is not None:
        told = f"{one.at}: {told}"
    level = "error" if one.fault else "warning"
    result: dict[str, Any] = {"ruleId": one.kind, "ruleIndex": rule, "level": level, "message": {"text": told}}
    if path:
        uri = Path(path).as_uri() if Path(path).is_absolute() else quote(path)
        place: dict[str, Any] = {"artifactLocation": {"uri": uri}}
        if one.at and one.at.line and one.at.cell is None:
            place["region"] = {"startLine": one.at.line}
        result["locations"] = [{"physicalLocation": place}]
    return result


def _path(one: Remark, report: "Report") -> str:
    path = shown_path(one.at.file if one.at else report.file)
    return Path(path).as_posix() if path else ""


FORMATS: dict[str, Callable[["Report"], str]] = {"short": short, "github": github, "sarif": sarif}
"""The formats that `--format` knows, but for the table."""
