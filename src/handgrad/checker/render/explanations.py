"""Each line at fault: where it stands, what is wrong, and the answer, as far as the hints go."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from handgrad.checker.render.sentences import left_over, sentence

if TYPE_CHECKING:
    from handgrad.checker.place import Place
    from handgrad.checker.report import Diagnosis, Report


@dataclass(frozen=True)
class Remark:
    """One thing that is wrong with a line, and what is told of it, as far as the hints go."""

    place: "Place | None"
    text: str
    gradient: str
    found: "Diagnosis"
    fault: bool
    hint: int | None

    @property
    def at(self) -> "Place | None":
        """Where this is wrong."""
        return self.found.place or self.place

    @property
    def kind(self) -> str:
        """The kind of the mistake, where it may be told."""
        return self.found.kind if self.hint != 1 else "wrong"

    @property
    def told(self) -> str:
        """The sentence."""
        return sentence(self.found, self.hint) if self.hint != 1 else f"look at {self.gradient} again."


def remarks(report: "Report") -> list[Remark]:
    """All that is wrong; gradients of one line that are not written yet are one thing."""
    unwritten: dict[Place | None, list[str]] = {}
    for row in report.blamed:
        if [one.fact for one in row.diagnosis] == ["unwritten"]:
            unwritten.setdefault(row.place, []).append(row.gradient)
    found = []
    for row in report.blamed:
        for one in row.diagnosis:
            if one.fact == "unwritten":
                one = replace(one, about=tuple(unwritten[row.place]))
                if row.gradient != one.about[0]:
                    continue
            text = row.text or row.gradient
            found.append(Remark(row.place, text, row.gradient, one, report.is_fault(row), report.hint))
    for hazard in report.hazards:
        text = hazard.text or hazard.variable
        found.append(Remark(hazard.place, text, hazard.variable, hazard.finding, True, report.hint))
    return list(dict.fromkeys(found))


def explanations(report: "Report") -> list[str]:
    """For each line at fault, and for nothing else: where, what, and the answer, as far as the hints go."""
    lines: dict[tuple[Place | None, str], list[Remark]] = {}
    for one in remarks(report):
        lines.setdefault((one.place, one.text), []).append(one)
    return [*(_explained(report, together) for together in lines.values()), *report.faults]


def _explained(report: "Report", together: list[Remark]) -> str:
    first = together[0]
    start, *more = first.text.strip().split("\n")
    said = [": ".join(filter(None, [str(first.place or ""), start + (" …" if more else "")]))]
    several = len({one.gradient for one in together}) > 1
    for one in together:
        said += _reasons(report, one, f"{one.gradient}: " if several and one.found.fact != "unwritten" else "")
    return "\n".join(dict.fromkeys(said))


def _reasons(report: "Report", one: Remark, name: str) -> Iterator[str]:
    """What is left over, what is wrong, and the line as it should be, as far as the hints go."""
    word, found = "wrong" if one.fault else "warning", one.found
    if report.hint == 1:
        yield f"    {word}: {one.told}"
        return
    if found.left_over and report.hint != 2:
        yield f"    left over: {name}{left_over(found.left_over)}"
    elsewhere = f"{found.place}: " if found.place and one.place and found.place != one.place else ""
    yield f"    {word} ({found.kind}): {elsewhere}{name}{one.told}"
    if found.fix and (report.hint == 3 or report.show_fix):
        yield from (f"    {'right: ' if i == 0 else '       '}{part}" for i, part in enumerate(found.fix.split("\n")))


def located(place: "Place | None", file: str | None = None) -> str:
    """`file:line: `, as compilers say it, and of a notebook `file:cell 3:line: `."""
    path = shown_path(place.file if place else file)
    if place is None or not place.line:
        return f"{path}: " if path else ""
    cell = "" if place.cell is None else f"cell {place.called}:"
    return f"{path or '<program>'}:{cell}{place.line}: "


def shown_path(file: str | None) -> str:
    """The file, from the folder that the user is in where it lies inside; empty where there is none."""
    if not file or file.startswith("<"):
        return ""
    inside = os.path.relpath(file)
    return file if inside.startswith("..") else inside
