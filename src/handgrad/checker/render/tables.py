"""The report as text, in colour for a terminal, and as a page."""

import html as page
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from handgrad.checker.render.explanations import explanations, located, remarks
from handgrad.checker.render.sentences import summary

if TYPE_CHECKING:
    from handgrad.checker.report import Report, VariableReport

HEADINGS = ("variable", "cell", "shape", "exact", "approximate", "maxdiff", "verdict")
STYLES = {
    "exact": ("green", "#2a7"),
    "close": ("green", "#2a7"),
    "wrong": ("red", "#c33"),
    "masked": ("magenta", "#a3a"),
    "shape": ("yellow", "#b80"),
    "missing": ("dim", "#999"),
}
"""The colour of each verdict in a terminal and in a page."""


def table(report: "Report") -> list[tuple[str, ...]]:
    """The headings, and a row for each gradient: name, shape, exact, approximate, maxdiff, verdict.

    In a notebook each row has its cell; a name that occurs again its line.
    """
    names = [(row.name, row.place and row.place.cell) for row in report.variables]
    rows = [_row(report, row, again=names.count(name) > 1) for row, name in zip(report.variables, names, strict=True)]
    cells = any(row[1] for row in rows)
    return [row if cells else (row[0], *row[2:]) for row in (HEADINGS, *rows)]


def _row(report: "Report", row: "VariableReport", again: bool) -> tuple[str, ...]:
    more = row.cause or ("proven" if report.show_proofs and row.proven else "")
    name = f"{row.name} (line {row.line})" if again and row.place else row.name
    cell = str(row.place.called) if row.place and row.place.cell is not None else ""
    shape, verdict = "×".join(map(str, row.shape)) or "scalar", row.verdict + (f" ({more})" if more else "")
    if row.verdict == "missing":
        return name, cell, shape, "", "", "", verdict
    maxdiff = "-" if row.maxdiff is None else f"{row.maxdiff:.3g}"
    return name, cell, shape, str(row.exact), str(row.approximate), maxdiff, verdict


def text(report: "Report") -> str:
    """The table, each line at fault, the notes and the summary."""
    rows = table(report)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [" | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "-+-".join("-" * w for w in widths))
    parts = ["\n".join(lines)] if report.variables else []
    return "\n\n".join([*parts, *explanations(report), *(f"note: {note}" for note in report.notes), summary(report)])


def rich(report: "Report") -> Any:
    """The same in colour, for a terminal."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    headings, *rows = table(report)
    drawn = Table(box=None, pad_edge=False)
    for title in headings:
        drawn.add_column(title, justify="right" if title == "maxdiff" else "left", no_wrap=True)
    for variable, row in zip(report.variables, rows, strict=True):
        drawn.add_row(*map(Text, row), style=STYLES[variable.verdict][0])
    parts: list[Any] = [drawn, Text("")] if rows else []
    for said in explanations(report):
        parts += [Text(said), Text("")]
    parts += [Text(f"note: {note}", style="dim") for note in report.notes]
    parts.append(Text(summary(report), style="bold green" if report.right else "bold red"))
    return Group(*parts)


def html(report: "Report", pictures: str = "") -> str:
    """The same for a page, with `pictures` below the lines at fault."""
    headings, *rows = table(report)
    drawn = [f"<tr>{_cells('th', headings)}</tr>"]
    for variable, row in zip(report.variables, rows, strict=True):
        drawn.append(f"<tr style='color:{STYLES[variable.verdict][1]}'>{_cells('td', row)}</tr>")
    said = "".join(f"<pre>{page.escape(one)}</pre>" for one in explanations(report))
    notes = "".join(f"<p>note: {page.escape(note)}</p>" for note in report.notes)
    colour = STYLES["exact" if report.right else "wrong"][1]
    last = f"<p style='color:{colour}'><b>{page.escape(summary(report))}</b></p>"
    return f"<table>{''.join(drawn) if rows else ''}</table>{said}{pictures}{notes}{last}"


def _cells(tag: str, row: Iterable[str]) -> str:
    return "".join(f"<{tag} style='text-align:left'>{page.escape(cell)}</{tag}>" for cell in row)


def failure(report: "Report") -> str:
    """The message of a failed test: what is wrong where, a line each, then the report."""
    heads = [
        f"{located(one.at, report.file)}{one.gradient} is wrong: {one.told}" for one in remarks(report) if one.fault
    ]
    return "\n".join([*heads, *report.faults, "", text(report)])
