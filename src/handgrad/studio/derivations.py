"""The derivation of a program's backward pass, as data: the lines that `derive` writes, and how they come about."""

from pathlib import Path
from typing import Any

from handgrad.checker.inspection import undisturbed
from handgrad.checker.read.source import parse_code
from handgrad.derive.emit.latex import latex
from handgrad.derive.explain.explanation import Explanation, Prose, Quote, Step, tick
from handgrad.derive.explain.markdown import aligned
from handgrad.errors import DeriveError
from handgrad.forward.deriving import Derived, Target, Wish, contained_faults, derive_forward, derive_target
from handgrad.forward.program import Forward, Part, registered
from handgrad.forward.recollection import forward_of_cells


def derivation_of(path: Path, *, loss: str | None, data: Path | None, timeout: float | None) -> dict[str, Any]:
    """The right lines, each with the forward line that it undoes, and the steps in index notation.

    `steps` is None where a line has no index notation; `without` says which then.

    Raises:
        SourceError: the file cannot be read.
        DeriveError: there is no forward pass, or one with a line that cannot be differentiated.
    """
    return told(derive_target(Target(path), Wish(part=Part(loss)), data=data, timeout=timeout))


def derivation_of_cell(code: str, number: int, namespace: dict[str, Any], loss: str | None) -> dict[str, Any]:
    """The same for a cell of a notebook that has been run.

    Args:
        code: of the cell, as its lines are counted.
        number: of the cell.
        namespace: what the notebook holds.
        loss: its name, where it is not clear.

    Raises:
        DeriveError: as above.
    """
    source = registered(parse_code(code, f"<cell {number}>", number))
    with contained_faults("the notebook"), undisturbed():
        forward = forward_of_cells([source], namespace, Part(loss))
        return told(Derived(Target(None), derive_forward(forward, Wish()), forward))


def told(found: Derived) -> dict[str, Any]:
    """A derivation for the page."""
    assert found.forward is not None
    fields = found.to_json()
    result: dict[str, Any] = {
        "lines": fields["lines"],
        "notes": fields["notes"],
        "summary": found.derivation.summary,
        "steps": None,
        "opening": [],
        "without": None,
    }
    try:
        with contained_faults(str(found.target)):
            explanation = found.derivation.explain()
    except DeriveError as error:
        return {**result, "without": str(error)}
    steps = [_step(step, explanation, found.forward) for step in explanation.steps]
    return {**result, "steps": steps, "opening": [_prose(one) for one in explanation.opening]}


def _step(step: Step, explanation: Explanation, forward: Forward) -> dict[str, Any]:
    places = [forward.place_of(use.number) for use in step.uses]
    return {
        "gradient": step.gradient,
        "variable": step.variable,
        "uses": [
            {"line": place.line, "cell": place.cell, "text": use.text}
            for use, place in zip(step.uses, places, strict=True)
        ],
        "first": f"{latex(step.left)} = {latex(step.stages[0].formula)}" if step.stages else None,
        "latex": aligned(step),
        "reasons": [[_prose(reason) for reason in stage.reasons] for stage in step.stages if stage.reasons],
        "matrix": latex(step.matrix) if step.matrix is not None else None,
        "notes": [_prose(note) for note in step.notes],
        "check": tick(step, explanation.judge),
    }


def _prose(prose: Prose) -> list[tuple[str, str]]:
    """A sentence as pieces, each with what it is: "text", "code" or "latex"."""
    return [
        ("text", piece) if isinstance(piece, str)
        else ("code", piece.text) if isinstance(piece, Quote)
        else ("latex", latex(piece))
        for piece in prose
    ]  # fmt: skip
