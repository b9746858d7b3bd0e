"""Write an edit into the user's own text: what is not edited stays to the character."""

import ast
import contextlib
import functools
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from handgrad.checker.read.source import exchanged, segment
from handgrad.checker.read.spelling import DOT, bare
from handgrad.checker.read.trees import Edit, in_place

LONG = 60
"""Characters of a call beyond which its receiver is left out where only its arguments are spoken of."""
_OPERATOR = re.compile(r" (\*\*|[*/@+-]) ")


def unparsed(node: ast.AST) -> str:
    """The text of a tree, with `1e-5` for `1e-05`."""
    return re.sub(r"(?<=\de-)0(?=\d)", "", ast.unparse(ast.fix_missing_locations(node)))


class Written:
    """A simple statement as it is written in `code`; `spelled` puts the tree's names in the user's words."""

    def __init__(self, code: str, simple: ast.stmt, spelled: Callable[[str], str] = str):  # noqa: D107
        nodes = [node for node in ast.walk(simple) if isinstance(node, ast.expr) and hasattr(node, "lineno")]
        calls = {n.id: segment(code, n) for n in nodes if code and isinstance(n, ast.Name) and _is_result(n)}
        self.code, self.simple = code, simple
        self.spelled = lambda text: spelled(functools.reduce(lambda t, one: exchanged(t, *one), calls.items(), text))
        self.text = segment(code, simple) if code else ""
        self.known = {_said(node): node for node in reversed(nodes) if self._is_written(node)}
        self.known = {**_products_of(code), **self.known} if code else {}

    def _is_written(self, node: ast.AST) -> bool:
        return _says(segment(self.code, node), self.spelled(unparsed(node)))

    def fix(self, *edits: Edit) -> str:
        """The statement with edits made in it; nothing where it is to be left out."""
        with contextlib.ExitStack() as stack:
            for edit in edits:
                stack.enter_context(in_place(self.simple, edit.old, edit.new))
            node = edits[0].new if edits[0].old is self.simple else self.simple
            return "" if isinstance(node, ast.Pass) else self._with(self.simple, node, edits)

    def parts(self, edit: Edit) -> tuple[str, str]:
        """The smallest part of the statement that tells what is edited, as it is and as it should be."""
        if isinstance(edit.new, ast.Pass):
            return self.text, ""
        part = self._telling(edit.old)
        old = segment(self.code, part) if self._is_written(part) else self.spelled(unparsed(part))
        with in_place(part, edit.old, edit.new) if part is not edit.old else contextlib.nullcontext():
            new = self._with(part, edit.new if part is edit.old else part, [edit])
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and len(old) > LONG:
            receiver = segment(self.code, part.func.value)
            if old.startswith(receiver) and new.startswith(receiver):
                old, new = (f"…{text[len(receiver) :]}" for text in (old, new))
        return old, new

    def _with(self, whole: ast.AST, edited: ast.AST, edits: Any) -> str:
        """The text of a part of the statement with edits made in it."""
        right = self.spelled(unparsed(edited))
        if self.code and all(hasattr(edit.old, "lineno") for edit in edits):
            for text in self._candidates(whole, edits):
                if _says(text, right):
                    return textwrap.dedent(text)
        return self._in_style(right)

    def _candidates(self, whole: Any, edits: Any) -> Iterator[str]:
        """The text with the edited parts replaced, each with and without brackets."""
        text, start = segment(self.code, whole), self._offset(whole.lineno, whole.col_offset)
        texts, end = [text], len(text)
        for edit in sorted(edits, key=lambda one: (one.old.lineno, one.old.col_offset), reverse=True):
            old, new = edit.old, self._other_operator(edit.old, edit.new) or self._worded(edit.new)
            first = self._offset(old.lineno, old.col_offset) - start
            last = self._offset(old.end_lineno, old.end_col_offset) - start
            if last > end:
                return
            if isinstance(old, ast.Tuple) and not text.startswith("(", first):
                new = new.removeprefix("(").removesuffix(")")
            bracketed = text[first - 1 : first] == "(" and text[last : last + 1] == ")"
            spans = [(new, 1)] * bracketed + [(new, 0), (f"({new})", 0)]
            texts = [one[: first - w] + said + one[last + w :] for one in texts for said, w in spans]
            end = first
        yield from texts

    def _other_operator(self, old: Any, new: Any) -> str | None:
        """The text where nothing but the operator between two operands is another one."""
        operands = isinstance(old, ast.BinOp) and isinstance(new, ast.BinOp)
        if not operands or old.left is not new.left or old.right is not new.right:
            return None
        left, right, whole = (segment(self.code, node) for node in (old.left, old.right, old))
        between = whole[len(left) : len(whole) - len(right)]
        was, becomes = (
            ast.unparse(ast.BinOp(ast.Name("a"), one.op, ast.Name("a")))[1:-1].strip() for one in (old, new)
        )
        if not whole.startswith(left) or not whole.endswith(right) or between.count(was) != 1:
            return None
        return left + between.replace(was, becomes) + right

    def _worded(self, new: ast.AST) -> str:
        """The text of a new part, in which what the user has written already stands as it is written."""
        kept: dict[str, ast.expr] = {}
        text = self._in_style(self.spelled(unparsed(_with_holes(new, self.known, kept))))
        right = self.spelled(unparsed(new))
        written = {hole: segment(self.code, node) for hole, node in kept.items()}
        bare, best = {hole for hole, node in kept.items() if isinstance(node, _ATOMS)}, ""
        for hole in [None, *(h for h in kept if h not in bare)]:  # brackets stay where they are needed
            fewer = bare | ({hole} - {None})
            filled = _filled(text, {h: said if h in fewer else f"({said})" for h, said in written.items()})
            if _says(filled, right):
                bare, best = fewer, filled
            elif hole is None:
                return self._in_style(right)
        return best

    def _in_style(self, text: str) -> str:
        """The text with as much space around its operators as the user leaves."""
        return _OPERATOR.sub(lambda found: found[1] if self._is_tight(found[1]) else found[0], text)

    def _is_tight(self, operator: str) -> bool:
        tight, loose = rf"[\w\])]{re.escape(operator)}[\w\[(-]", rf" {re.escape(operator)} "
        for text in (self.text, self.code if operator == "**" else ""):
            if (count := len(re.findall(tight, text)) - len(re.findall(loose, text))) != 0:
                return count > 0
        if operator in ("*", "/"):  # the one is written as the other
            other = "/*"["*/".index(operator)]
            return f" {other} " not in self.text and re.search(rf"\w{re.escape(other)}\w", self.text) is not None
        return operator == "**"

    def _telling(self, node: ast.AST) -> Any:
        """The smallest expression around a node that can be spoken of: no number alone, no index, no keyword."""
        parents = {child: parent for parent in ast.walk(self.simple) for child in ast.iter_child_nodes(parent)}
        names = [n.id for n in ast.walk(self.simple) if isinstance(n, ast.Name)]
        while (parent := parents.get(node)) is not None and not isinstance(parent, ast.stmt):
            number = node.operand if isinstance(node, ast.UnaryOp) else node
            alone = isinstance(number, ast.Constant) or not isinstance(node, ast.expr) or not hasattr(node, "lineno")
            inside = isinstance(parent, ast.Subscript) and node is parent.slice
            inside |= isinstance(node, ast.Tuple | ast.Slice) and isinstance(parent, ast.Subscript | ast.Call)
            inside |= isinstance(parent, ast.keyword | ast.Slice)
            inside |= isinstance(parent, ast.Tuple) and isinstance(parents.get(parent), ast.Subscript | ast.Call)
            again = isinstance(node, ast.Name) and names.count(node.id) > 1 and isinstance(parent, ast.BinOp)
            again = again and len(unparsed(parent)) < LONG
            if not (alone or inside or again):
                break
            node = parent
        return node

    def _offset(self, line: int, column: int) -> int:
        lines = self.code.split("\n")
        before = sum(len(part) + 1 for part in lines[: line - 1])
        return before + len(lines[line - 1].encode()[:column].decode(errors="ignore"))


def _is_result(node: ast.Name) -> bool:
    """Whether a name stands for what a call returned, in the place of the call."""
    return isinstance(node.ctx, ast.Load) and node.id.startswith(f"returned{DOT}")


@functools.lru_cache(maxsize=16)
def _products_of(code: str) -> dict[str, ast.expr]:
    """What is computed with operators anywhere in a program, by what it says."""
    try:
        nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.BinOp)]
    except SyntaxError:
        return {}
    return {_said(node): node for node in nodes}


_ATOMS = (ast.Name, ast.Constant, ast.Call, ast.Attribute, ast.Subscript)


def _with_holes(node: Any, known: dict[str, ast.expr], kept: dict[str, ast.expr]) -> Any:
    """A copy of a tree with names in the place of its largest parts that are known."""
    if isinstance(node, list):
        return [_with_holes(item, known, kept) for item in node]
    if not isinstance(node, ast.AST):
        return node
    if isinstance(node, ast.expr) and not isinstance(node, ast.Name | ast.Constant) and (said := _said(node)) in known:
        hole = f"hole_{len(kept)}_"
        kept[hole] = known[said]
        return ast.Name(hole, ast.Load())
    return type(node)(**{key: _with_holes(value, known, kept) for key, value in ast.iter_fields(node)})


def _filled(text: str, written: dict[str, str]) -> str:
    return re.sub(r"hole_\d+_", lambda found: written.get(found[0], found[0]), text)


def _said(node: ast.AST) -> str:
    return ast.dump(node).replace("Store()", "Load()")


def _says(text: str, whole: str) -> bool:
    """Whether a text is the same program as another, but for the numbers of calls."""
    try:
        return ast.unparse(ast.parse(_joined(bare(text)))) == ast.unparse(ast.parse(_joined(bare(whole))))
    except SyntaxError:
        return False


def _joined(text: str) -> str:
    """A statement, or an expression that may go over several lines."""
    try:
        ast.parse(f"(\n{text}\n)", mode="eval")
    except SyntaxError:
        return textwrap.dedent(text)
    return f"(\n{text}\n)"
