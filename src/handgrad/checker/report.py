"""What the checker found, as plain data, as text and as JSON."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from handgrad.checker.place import Place
from handgrad.errors import HandgradError

VERDICT_STYLES = {
    "exact": "green",
    "close": "green",
    "wrong": "red",
    "masked": "magenta",
    "shape": "yellow",
    "missing": "dim",
}


MOST_NAMES = 8
"""How many gradients that were not judged the last line names."""


class WrongGradientError(HandgradError, AssertionError):
    """A gradient that is not right; its message is the report."""

    def __init__(self, report: "Report"):
        """Keep the report; it is the message."""
        self.report = report
        Exception.__init__(self, str(report))


@dataclass(frozen=True)
class Diagnosis:
    """Why a line is wrong: its kind, one sentence, and the line as it should be, where one edit repairs it.

    `start` and `end` are the lines of the file that `fix` replaces; `end` before `start` means that it is inserted.
    `around` is what else stands on these lines, before and after, and stays. `left_over` says what the line has too
    much or lacks, and which path that belongs to, where that is short.
    """

    kind: str
    message: str
    fix: str | None = None
    place: Place | None = None
    start: int = 0
    end: int = 0
    around: tuple[str, str] = ("", "")
    left_over: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields for a program."""
        return {"kind": self.kind, "message": self.message, "fix": self.fix, "left_over": self.left_over}


@dataclass(frozen=True)
class Unjudged:
    """What looks like a gradient and was not judged, and why not."""

    gradient: str
    place: Place | None
    reason: str

    def __str__(self) -> str:
        """The sentence about it."""
        where = f"{self.place}: " if self.place else ""
        return f"{where}{self.reason}, so {self.gradient} is not judged."

    def to_json(self) -> dict[str, Any]:
        """The fields for a program."""
        return {"gradient": self.gradient, **_where(self.place), "reason": self.reason}


def _where(place: Place | None) -> dict[str, Any]:
    """The line, and of a notebook the cell."""
    line = {"line": place.line if place else None}
    return line if place is None or place.cell is None else {"cell": place.called, **line}


@dataclass(frozen=True)
class Hazard:
    """A statement that changes a value that other statements rely on; `repair` is the edit that prevents it."""

    kind: str
    variable: str
    place: Place
    message: str
    text: str = ""
    repair: Diagnosis | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields for a program."""
        return {"kind": self.kind, "variable": self.variable, **_where(self.place), "message": self.message}


@dataclass
class VariableReport:
    """One row of the table; `proof` says whether its line can be proven right."""

    name: str
    gradient: str
    shape: list[int]
    place: Place | None
    verdict: str
    exact: bool = False
    approximate: bool = False
    maxdiff: float | None = None
    relative_error: float | None = None
    cause: str | None = None
    diagnosis: list[Diagnosis] = field(default_factory=list)
    text: str = ""
    chain_place: Place | None = None
    tensors: tuple[Any, ...] | None = field(default=None, repr=False, compare=False)
    proof: Callable[[], bool] | None = field(default=None, repr=False, compare=False)

    @functools.cached_property
    def proven(self) -> bool:
        """Whether the line is right whatever the numbers, by algebra; it is looked for when it is first asked for."""
        return self.proof is not None and self.proof()

    @property
    def line(self) -> int | None:
        """The line number, where the gradient was written."""
        return self.place.line if self.place else None

    def to_json(self) -> dict[str, Any]:
        """The fields for a program."""
        return {
            "name": self.name,
            "gradient": self.gradient,
            "shape": self.shape,
            **_where(self.place),
            "verdict": self.verdict,
            "exact": self.exact,
            "approximate": self.approximate,
            "maxdiff": _finite(self.maxdiff),
            "relative_error": _finite(self.relative_error),
            "cause": self.cause,
            "proven": self.proven,
            "diagnosis": [d.to_json() for d in self.diagnosis],
        }


def _finite(number: float | None) -> float | None:
    return number if number is not None and abs(number) < float("inf") else None


@dataclass
class Report:
    """Everything the checker has to say about one program.

    Example:
        >>> row = VariableReport("W", "dW", [3, 2], None, "exact")
        >>> Report(3.34, [row]).right, Report(3.34, []).right
        (True, False)
    """

    loss: float | None
    variables: list[VariableReport] = field(default_factory=list)
    hazards: list[Hazard] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unjudged: list[Unjudged] = field(default_factory=list)
    strict: bool = False
    hint: int = 2
    show_fix: bool = False
    show_proofs: bool = False
    file: str | None = None

    @property
    def right(self) -> bool:
        """Whether something was judged and no line is at fault.

        Shapes that broadcast, and gradients not written or not judged, count under `strict` alone. `faults` are lines
        that Python itself refuses, or that raise: with them the program cannot be run as it is.
        """
        judged = any(v.verdict != "missing" for v in self.variables)
        faults = self.hazards or self.faults or (self.strict and self.unjudged)
        return judged and not faults and not any(self.is_fault(v) for v in self.variables)

    def is_fault(self, row: VariableReport) -> bool:
        """Whether a row makes the program wrong."""
        if row.verdict == "shape":
            return self.strict
        if row.verdict == "missing":
            return self.strict or row.cause == "own"
        return row.cause == "own"

    @property
    def blamed(self) -> list[VariableReport]:
        """The rows whose own lines are at fault, warnings about shapes included."""
        return [v for v in self.variables if v.cause == "own"]

    @property
    def repairs(self) -> list[Diagnosis]:
        """The edits that make the lines at fault right, each once."""
        found = [d for row in self.blamed if self.is_fault(row) for d in row.diagnosis]
        found += [hazard.repair for hazard in self.hazards if hazard.repair]
        return list({(d.place, d.start, d.end): d for d in reversed(found) if d.fix is not None and d.start}.values())

    def to_json(self) -> dict[str, Any]:
        """The report for a program."""
        return {
            "loss": _finite(self.loss),
            "right": self.right,
            "variables": [v.to_json() for v in self.variables],
            "hazards": [h.to_json() for h in self.hazards],
            "unjudged": [u.to_json() for u in self.unjudged],
        }

    def raise_if_wrong(self) -> None:
        """Raise where a line is at fault.

        Raises:
            WrongGradientError: with the report as its message; it is an AssertionError too.
        """
        if not self.right:
            raise WrongGradientError(self)

    def summary(self) -> str:
        """The last line: how many are right, and what is to be done."""
        right_ones = [v for v in self.variables if v.verdict in ("exact", "close")]
        right = len(right_ones)
        checked = sum(not (v.verdict == "missing" and v.cause is None) for v in self.variables)
        lines = {(v.place, *v.diagnosis) if v.diagnosis else v.gradient for v in self.variables if self.is_fault(v)}
        faults = len(lines) + len(self.hazards) + len(self.faults)
        total, left = checked + len(self.unjudged), len(self.unjudged)
        gradients = "gradient is" if total == 1 else "gradients are"
        said = f"{right} of {total} {gradients} right"
        if not faults and right == total and right:
            said = "The gradient is right" if right == 1 else f"All {right} gradients are right"
        if self.show_proofs:
            said += f", {sum(v.proven for v in right_ones)} proven"
        if faults:
            said += f"; {faults} {'line is' if faults == 1 else 'lines are'} at fault"
        if left:
            names = list(dict.fromkeys(u.gradient for u in self.unjudged))
            shown = ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" * (len(names) > MOST_NAMES))
            said += f"; {left} {'was' if left == 1 else 'were'} not judged: {shown}"
        return f"{said}."

    def explanations(self) -> list[str]:
        """For each line at fault, and for nothing else: where, what, and the answer, as far as the hints go."""
        return list(dict.fromkeys(self._explanations()))

    def _explanations(self) -> Iterator[str]:
        for row in self.blamed:
            yield self._explain(row.place, row.text, row.gradient, row.diagnosis, warning=not self.is_fault(row))
        yield from self.faults
        for hazard in self.hazards:
            fix = hazard.repair.fix if hazard.repair else None
            yield self._explain(
                hazard.place, hazard.text, hazard.variable, [Diagnosis(hazard.kind, hazard.message, fix)]
            )

    def _explain(self, place, text, name, diagnosis, warning: bool = False) -> str:
        word = "warning" if warning else "wrong"
        head = ": ".join(part for part in (str(place) if place else "", _first_line(text or name)) if part)
        if self.hint == 1:
            return f"{head}\n    {word}: look at {name} again."
        lines = [head]
        for one in diagnosis:
            lines.append(f"    {word} ({one.kind}): {one.message}")
            lines += [f"    left over: {one.left_over}"] if one.left_over else []
            if one.fix and (self.hint >= 3 or self.show_fix):
                lines += [
                    f"    {'right: ' if i == 0 else '       '}{part}" for i, part in enumerate(one.fix.split("\n"))
                ]
        return "\n".join(lines)

    def table_rows(self) -> Iterator[tuple[str, ...]]:
        """Name, shape, exact, approximate, maxdiff, verdict."""
        for v in self.variables:
            more = v.cause or ("proven" if self.show_proofs and v.proven else "")
            verdict = v.verdict + (f" ({more})" if more else "")
            shape = "×".join(map(str, v.shape)) or "scalar"
            if v.verdict == "missing":
                yield v.name, shape, "", "", "", verdict
                continue
            maxdiff = "-" if v.maxdiff is None else f"{v.maxdiff:.3g}"
            yield v.name, shape, str(v.exact), str(v.approximate), maxdiff, verdict

    def __str__(self) -> str:
        """The table, then each line at fault."""
        header = ("variable", "shape", "exact", "approximate", "maxdiff", "verdict")
        rows = [header, *self.table_rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
        lines = [" | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        lines.insert(1, "-+-".join("-" * w for w in widths))
        parts = ["\n".join(lines)] if self.variables else []
        parts += [*self.explanations(), *(f"note: {note}" for note in self.notes)]
        parts.append(self.summary())
        return "\n\n".join(parts)

    def __rich__(self):
        """The same in colour, for a terminal."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False)
        for title in ("variable", "shape", "exact", "approximate", "maxdiff", "verdict"):
            table.add_column(title, justify="right" if title == "maxdiff" else "left", no_wrap=True)
        for v, row in zip(self.variables, self.table_rows(), strict=True):
            table.add_row(*map(Text, row), style=VERDICT_STYLES[v.verdict])
        parts: list[Any] = [table, Text("")] if self.variables else []
        for text in self.explanations():
            parts += [Text(text), Text("")]
        parts += [Text(f"note: {note}", style="dim") for note in self.notes]
        parts.append(Text(self.summary(), style="bold green" if self.right else "bold red"))
        return Group(*parts)


def _first_line(text: str) -> str:
    lines = text.strip().split("\n")
    return lines[0] + (" …" if len(lines) > 1 else "")
