"""Write an edit in the user's own spelling."""

import ast
import re
import textwrap
from collections.abc import Callable
from typing import Any

from handgrad.checker.edits import Edit
from handgrad.checker.source import segment


def shown(node: ast.AST) -> str:
    """The text of what stands in the place of a node."""
    return _written(node).strip() if not isinstance(node, ast.Pass) else "nothing"


def _written(node: ast.AST) -> str:
    """The text of a tree, with `1e-5` for `1e-05`."""
    return re.sub(r"(?<=\de-)0(?=\d)", "", ast.unparse(ast.fix_missing_locations(node)))


def edited_text(code: str | None, simple: ast.stmt, edit: Edit, spelled: Callable[[str], str] = str) -> str:
    """The statement with the edit made in the user's own spelling, as far as that gives the same program."""
    statement = edit.edited
    whole = spelled(_written(statement))
    if isinstance(statement, ast.Pass):
        return ""
    old: Any = edit.old
    if not code or old is simple or not hasattr(old, "lineno"):
        return whole
    written = segment(code, simple)
    start = _offset(code, simple.lineno, simple.col_offset)
    begin = _offset(code, old.lineno, old.col_offset) - start
    end = _offset(code, old.end_lineno, old.end_col_offset) - start
    new = spelled(_written(edit.new))
    in_brackets = written[begin - 1 : begin] == "(" and written[end : end + 1] == ")"
    for text, wider in ((new, 1), (new, 0), (f"({new})", 0)) if in_brackets else ((new, 0), (f"({new})", 0)):
        candidate = written[: begin - wider] + text + written[end + wider :]
        try:
            if ast.unparse(ast.parse(textwrap.dedent(candidate)).body[0]) == ast.unparse(ast.parse(whole).body[0]):
                return textwrap.dedent(candidate)
        except (SyntaxError, IndexError):
            continue
    return whole


def _offset(code: str, line: int, column: int) -> int:
    lines = code.split("\n")
    before = sum(len(part) + 1 for part in lines[: line - 1])
    return before + len(lines[line - 1].encode()[:column].decode(errors="ignore"))
