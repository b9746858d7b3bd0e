"""The documentation's table of kinds, made from the cases: `python tests/checker/kinds_table.py` writes it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import cases

from handgrad.checker.render import MESSAGES

PAGE = Path(__file__).parents[2] / "docs" / "checker-kinds.md"

HEAD = """\
# Kinds of mistakes

What `handgrad check` calls a mistake, with one example each. The examples are cases of the checker's own tests.

| kind | what is wrong | written | right |
|---|---|---|---|
"""


def table() -> str:
    """The page, in the order in which the kinds are documented."""
    rows = []
    for kind in cases.schema.KINDS:
        example = next((m for m in cases.MISTAKES if m.kind == kind and _fits(m)), None)
        written, right = (_code(example.wrong), _code(example.right)) if example else ("", "")
        rows.append(f"| `{kind}` | {MESSAGES[kind]} | {written} | {right} |")
    rows.append(f"| `unknown` | {MESSAGES['unknown']} | | |")
    return HEAD + "\n".join(rows) + "\n"


def _fits(mistake) -> bool:
    return "|" not in mistake.wrong + mistake.right and max(len(mistake.wrong), len(mistake.right)) < 160


def _code(text: str) -> str:
    lines = [line.strip() for line in text.strip().split("\n") if line.strip()]
    return "<br>".join(f"`{line}`" for line in lines) or "(no line)"


if __name__ == "__main__":
    PAGE.write_text(table())
