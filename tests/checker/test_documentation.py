"""The pages say what the program does."""

import io
import json
import re
import sys
from pathlib import Path

import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent))
import cases
import kinds_table

from handgrad.checker import Report, check
from handgrad.checker.render import MESSAGES

PAGE = Path(__file__).parents[2] / "docs" / "checker.md"


def test_the_table_of_kinds_is_up_to_date():
    assert kinds_table.PAGE.read_text() == kinds_table.table()


def test_every_kind_has_a_sentence_and_a_case():
    assert set(MESSAGES) == {*cases.schema.KINDS, "unknown"}
    assert {m.kind for m in cases.MISTAKES} == set(cases.schema.KINDS)


def test_the_report_on_the_page_is_the_report_of_its_program(tmp_path):
    _, program, _, report, *_ = PAGE.read_text().split("```")
    (tmp_path / "wrong.py").write_text(program.removeprefix("python\n"))
    shown = check(tmp_path / "wrong.py")
    shown.show_fix = True
    assert _without_rounding(report.split("--fix\n")[1]) == _without_rounding(_printed(shown))
    shown.show_proofs = True
    table, summary = PAGE.read_text().split("--prove\n")[1].split("```")[0].split("...\n")
    assert _without_rounding(table) == _without_rounding(_printed(shown))[:7]
    assert summary == f"{shown.summary()}\n"
    (row,) = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL))
    (hpre,) = (v.to_json() for v in shown.variables if v.name == "hpre")
    assert row == {**hpre, **{name: pytest.approx(hpre[name], rel=1e-3) for name in ("maxdiff", "relative_error")}}


def _printed(report: Report) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(report, soft_wrap=True)
    return console.file.getvalue()


def _without_rounding(report: str) -> list[list[str]]:
    """The words of each line, the table's last digits left out."""
    return [[word for word in line.split() if "e-" not in word] for line in report.strip().split("\n")]
