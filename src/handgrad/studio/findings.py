"""What the checker says of lines, as the page shows it."""

from typing import Any

from handgrad.checker.place import Place
from handgrad.checker.render.sentences import sentence
from handgrad.checker.report import Diagnosis, Hazard


def hazard_json(hazard: Hazard) -> dict[str, Any]:
    """A statement that changes what others rely on, and the edit that prevents it."""
    return {
        "kind": hazard.kind,
        "variable": hazard.variable,
        "message": hazard.message,
        "text": hazard.text,
        "repair": repair_json(hazard.repair),
        **place_json(hazard.place),
    }


def diagnosis_json(found: Diagnosis) -> dict[str, Any]:
    """Why a line is wrong, as sentences, and the edit that mends it."""
    return {
        "kind": found.kind,
        "message": found.message,
        "hint": sentence(found, hint=2),
        "leftOver": str(found.left_over) if found.left_over else None,
        "repair": repair_json(found),
        **place_json(found.place),
    }


def place_json(place: Place | None) -> dict[str, Any]:
    """Line and cell."""
    return {"line": place.line if place else None, "cell": place.cell if place else None}


def repair_json(found: Diagnosis | None) -> dict[str, Any] | None:
    """The edit that mends a line."""
    if found is None or found.fix is None:
        return None
    lines = {"text": found.fix, "start": found.start, "end": found.end, "around": list(found.around)}
    return {**lines, **place_json(found.place)}
