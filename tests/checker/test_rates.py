"""How many planted mistakes are found, blamed on their own line, named by kind and mended: by row and as a whole."""

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from handgrad.checker import Report
from handgrad.checker.faces.mend import mended

sys.path.insert(0, str(Path(__file__).parent))
import cases
from cases.course_mistakes import MISTAKES as IN_COURSES
from cases.schema import changed
from cases.third import PLANTED_LINES

COURSES = Path(__file__).parent / "cases" / "courses"
STEPS = ("found", "line", "kind", "mended")


@dataclass(frozen=True)
class Row:
    """A program with mistakes: the lines that may be blamed for them, and the kinds that describe them."""

    id: str
    source: str
    lines: frozenset[int]
    kinds: frozenset[str]
    mistakes: int = 1


def in_courses():
    """The mistakes planted in course code, by program and place in the table."""
    for i, (name, kinds, right, wrong) in enumerate(IN_COURSES):
        text = (COURSES / f"{name}.py").read_text()
        made = text.replace(right, wrong, 1)
        pairs = zip(text.split("\n"), made.split("\n"), strict=False)
        line = next(n for n, (a, b) in enumerate(pairs, start=1) if a != b)
        yield Row(f"{i}/{name}", made, frozenset({line}), frozenset(kinds.split()))


def in_lessons():
    """A few of the mistakes that are told by a variable, as wrong lines of values: `test_cases` has them all."""
    told = [m for m in cases.MISTAKES + cases.SECOND.mistakes if m.wrong.strip() and not (m.hazard or m.warning)]
    for m in told[::32]:
        first = changed(m.program)[: changed(m.program).index(m.right)].count("\n") + 1
        last = first + m.wrong.rstrip().count("\n")
        simple = [n for n in ast.walk(ast.parse(m.source)) if isinstance(n, ast.stmt) and not hasattr(n, "body")]
        lines = {n.lineno for n in simple if n.lineno <= last and (n.end_lineno or 0) >= first}
        yield Row(m.id, m.source, frozenset(lines), frozenset({m.kind, *m.also}))


TABLES = {
    "courses": list(in_courses()),
    "lessons": list(in_lessons()),
    "programs": [Row(p.id, p.source, frozenset(p.lines), p.kinds, len(p.lines)) for p in PLANTED_LINES],
}
ROWS = {row.id: row for table in TABLES.values() for row in table}

LACKS = {
    "7/cs231n_softmax_vec": "line",
    "decorator_timer/inner-sign": "line",
    "recursion_tree/weight-written-over": "line kind mended",
    "args_lambda_ops/cosine-sign": "line",
    "attention_class/values-lost": "mended",
    "inheritance_super_backward/mask-lost": "line mended",
}
"""Rows of which not all is right, and what is not; in the other rows all is."""

FIGURES = {
    "courses": (67, 67, 66, 67, 67),
    "lessons": (23, 23, 23, 23, 23),
    "programs": (49, 49, 45, 48, 46),
}
"""Of each table: how many mistakes there are, are found, blamed on their own lines, named by kind, and mended."""


def lacking(row: Row, check_text) -> str:
    """What the report lacks of what it should say: the steps that fail, in their order."""
    report: Report = check_text(row.source)
    blamed = {one.line for one in report.blamed}
    kinds = {one.kind for fault in report.blamed for one in fault.diagnosis}
    reached = (
        not report.right,
        blamed <= row.lines and len(blamed) >= row.mistakes and not report.hazards,
        bool(kinds & row.kinds),
        bool(report.repairs) and check_text(mended(row.source, report.repairs)).right,
    )
    return " ".join(step for step, there in zip(STEPS, reached, strict=True) if not there)


@pytest.mark.slow
@pytest.mark.parametrize("id", ROWS)
def test_a_planted_mistake_is_found_blamed_named_and_mended(id, check_text):
    """Where a row is better than it is listed to be, list it as it is."""
    assert lacking(ROWS[id], check_text) == LACKS.get(id, "")


@pytest.mark.parametrize("table", TABLES)
def test_the_rate_of_a_table_is_what_it_was(table):
    """A row that is listed above as lacking something shows here too."""
    rows = TABLES[table]
    reached = (sum(step not in LACKS.get(row.id, "").split() for row in rows) for step in STEPS)
    assert (len(rows), *reached) == FIGURES[table]


def test_course_mistakes_are_explained_on_their_own_line_in_nine_of_ten():
    mistakes, found, line, kind, _ = FIGURES["courses"]
    assert found == mistakes
    assert min(line, kind) >= 0.9 * mistakes
    assert LACKS.keys() <= ROWS.keys()
