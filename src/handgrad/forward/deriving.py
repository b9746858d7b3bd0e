"""The backward pass of a user's program: its forward lines found, read, derived from, and told where they stand."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handgrad.derive import Form, Style
from handgrad.derive.derivation import Derivation, derived
from handgrad.derive.read.statements import read_program
from handgrad.errors import DeriveError, HandgradError
from handgrad.forward.program import Forward, Part, forward_of_file
from handgrad.forward.writing import write_below

_LINE = re.compile(r"line (\d+)(?=: |$)")


@dataclass(frozen=True)
class ProgramDerivation:
    """The backward pass derived from the forward lines of a program, and these lines."""

    forward: Forward
    derivation: Derivation

    def to_json(self) -> dict[str, Any]:
        """The fields for a program; each line that is undone with its cell, where there are cells."""
        found = self.derivation.to_json()
        for line in found["lines"]:
            if undone := line["undoes"]:
                place = self.forward.place_of(undone["line"])
                line["undoes"] = {"line": place.line, "cell": place.cell, "text": undone["text"]}
        forward = [{"line": s.place.line, "cell": s.place.cell, "text": s.text} for s in self.forward.lines.statements]
        return {"file": str(self.forward.path) if self.forward.path else None, "forward": forward, **found}

    def write(self, text: str) -> Path:
        """Put lines below the forward pass in its file; the copy of the old file."""
        assert self.forward.path is not None
        return write_below(self.forward.path, self.forward.lines.statements[-1], text)


def derive_file(
    path: Path,
    part: Part,
    form: Form = "lines",
    style: Style | None = None,
    *,
    data: Path | None = None,
    timeout: float | None = 60.0,
) -> ProgramDerivation:
    """Derive the backward pass of a script or a notebook from its forward pass.

    Raises:
        SourceError: the file cannot be read.
        DeriveError: it has no forward pass, or one with a line that cannot be differentiated.
    """
    return derive_forward(forward_of_file(path, part, data=data, timeout=timeout), form, style)


def derive_forward(forward: Forward, form: Form, style: Style | None) -> ProgramDerivation:
    """Derive the backward pass of forward lines that have been found."""
    lines = forward.lines
    with _placed(forward):
        program = read_program(forward.source, lines.before, inputs=lines.inputs, output=lines.output)
        return ProgramDerivation(forward, derived(program, form, style))


@contextlib.contextmanager
def _placed(forward: Forward) -> Iterator[None]:
    """Say in the program's own file, cell and line where something went wrong."""
    try:
        yield
    except HandgradError as error:
        told = str(error.where) if error.where is not None else ""
        if found := _LINE.match(told):
            told = f"{forward.place_of(int(found[1]))}{told[found.end() :]}"
        where = ", ".join(filter(None, [str(forward.path or ""), told]))
        raise DeriveError(
            error.what, got=error.got, expected=error.expected, where=where or None, next_step=error.next_step
        ) from error


