"""Write an edit in the user's own spelling."""

import ast
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from handgrad.checker.read.source import segment
from handgrad.checker.read.trees import Edit, in_place


def unparsed(node: ast.AST) -> str:
    """The text of a tree, with `1e-5` for `1e-05`."""
    return re.sub(r"(?<=\de-)0(?=\d)", "", ast.unparse(ast.fix_missing_locations(node)))


def shown(node: ast.AST) -> str:
    """The text of what stands in the place of a node; nothing for a statement that does nothing."""
    return unparsed(node).strip() if not isinstance(node, ast.Pass) else ""


def edited_text(code: str | None, simple: ast.stmt, edit: Edit, spelled: Callable[[str], str] = str) -> str:
    """The statement with the edit made in the user's own spelling, as far as that gives the same program."""
    statement = edit.edited
    whole = spelled(unparsed(statement))
    if isinstance(statement, ast.Pass):
        return ""
    if not code or edit.old is simple or not hasattr(edit.old, "lineno"):
        return whole
    texts = _spliced(segment(code, simple), _span(code, simple, edit), spelled(unparsed(edit.new)))
    return next((textwrap.dedent(text) for text in texts if _says(text, whole)), whole)


def text_with_both(code: str | None, first: Edit, second: Edit, spelled: Callable[[str], str] = str) -> str:
    """The statement with two edits made in it."""
    simple = first.statement
    with in_place(simple, first.old, first.new), in_place(simple, second.old, second.new):
        whole = spelled(unparsed(simple))
    if not code or any(not hasattr(edit.old, "lineno") or edit.old is simple for edit in (first, second)):
        return whole
    early, late = sorted((first, second), key=lambda edit: _span(code, simple, edit))
    if _span(code, simple, early)[1] > _span(code, simple, late)[0]:
        return whole
    for text in _spliced(segment(code, simple), _span(code, simple, late), spelled(unparsed(late.new))):
        for both in _spliced(text, _span(code, simple, early), spelled(unparsed(early.new))):
            if _says(both, whole):
                return textwrap.dedent(both)
    return whole


def _span(code: str, simple: ast.stmt, edit: Edit) -> tuple[int, int]:
    """Where in the statement's text the edited part begins and ends."""
    old: Any = edit.old
    start = _offset(code, simple.lineno, simple.col_offset)
    begin = _offset(code, old.lineno, old.col_offset) - start
    return begin, _offset(code, old.end_lineno, old.end_col_offset) - start


def _spliced(written: str, span: tuple[int, int], new: str) -> Iterator[str]:
    """The text with a part replaced, with and without brackets."""
    begin, end = span
    in_brackets = written[begin - 1 : begin] == "(" and written[end : end + 1] == ")"
    for text, wider in ((new, 1), (new, 0), (f"({new})", 0)) if in_brackets else ((new, 0), (f"({new})", 0)):
        yield written[: begin - wider] + text + written[end + wider :]


def _says(text: str, whole: str) -> bool:
    """Whether a text is the same program as another."""
    try:
        return ast.unparse(ast.parse(textwrap.dedent(text)).body[0]) == ast.unparse(ast.parse(whole).body[0])
    except (SyntaxError, IndexError):
        return False


def _offset(code: str, line: int, column: int) -> int:
    lines = code.split("\n")
    before = sum(len(part) + 1 for part in lines[: line - 1])
    return before + len(lines[line - 1].encode()[:column].decode(errors="ignore"))
