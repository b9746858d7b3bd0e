"""The pages say what the program does."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import cases  # noqa: E402
import kinds_table  # noqa: E402

from handgrad.checker import check  # noqa: E402
from handgrad.checker.diagnose import MESSAGES  # noqa: E402

PAGE = Path(__file__).parents[2] / "docs" / "checker.md"


def test_the_table_of_kinds_is_up_to_date():
    assert kinds_table.PAGE.read_text() == kinds_table.table()


def test_every_kind_has_a_sentence_and_a_case():
    assert set(MESSAGES) | set(kinds_table.HAZARDS) == {*cases.schema.KINDS, "unknown"}
    assert {m.kind for m in cases.MISTAKES} == set(cases.schema.KINDS)


def test_the_report_on_the_page_is_the_report_of_its_program(tmp_path):
    _, program, report, *_ = PAGE.read_text().split("```")
    (tmp_path / "wrong.py").write_text(program.removeprefix("python\n"))
    shown = check(tmp_path / "wrong.py")
    shown.show_fix = True
    lines = [line for line in report.removeprefix("text\n").strip().split("\n") if not line.startswith("$")]
    assert [line.split() for line in lines] == [line.split() for line in str(shown).split("\n")]
