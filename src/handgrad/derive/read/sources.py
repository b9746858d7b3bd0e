"""The source of a function, wherever it was written: in a module, a notebook, a class, or as a lambda."""

import ast
import functools
import inspect
import linecache
import textwrap
import types
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A function as it is written, and how its statements read."""

    node: ast.FunctionDef | ast.Lambda
    text: Callable[[ast.AST], str]

    @property
    def arguments(self) -> ast.arguments:
        """Its parameters."""
        return self.node.args

    @property
    def body(self) -> list[ast.stmt]:
        """Its statements; that of a lambda is its expression."""
        return (
            [ast.copy_location(ast.Expr(self.node.body), self.node.body)]
            if isinstance(self.node, ast.Lambda)
            else self.node.body
        )


def text_in(source: str, above: int = 0) -> Callable[[ast.AST], str]:
    """How to find the text of a statement in the source that it was parsed from, `above` the lines ahead of that."""
    lines = source.splitlines()

    def text(node: ast.AST) -> str:
        if not isinstance(node, ast.stmt | ast.expr) or not hasattr(node, "lineno") or node.end_lineno is None:
            return ast.unparse(node)
        first, last = node.lineno - 1 - above, node.end_lineno - 1 - above
        start, end = node.col_offset, node.end_col_offset
        if first == last:
            return lines[first].encode()[start:end].decode()
        middle = [line[start:] if not line[:start].strip() else line for line in lines[first + 1 : last]]
        tail = lines[last].encode()[:end].decode()
        tail = tail[start:] if not tail[:start].strip() else tail
        return "\n".join([lines[first].encode()[start:].decode(), *middle, tail])

    return text


def source_of(function: types.FunctionType) -> Source | None:
    """The source of a function; None where there is none to be found."""
    code = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    if not lines:
        try:
            lines, _ = inspect.findsource(function)
        except (OSError, TypeError):
            return None
    first = code.co_firstlineno - 1
    if code.co_name == "<lambda>":
        return _lambda(code, "".join(lines))
    return _defined("".join(inspect.getblock(lines[first:])), first, code.co_name)


@functools.lru_cache(maxsize=256)
def _defined(block: str, first: int, name: str) -> Source | None:
    source = textwrap.dedent(block)
    try:
        node = ast.parse(source).body[0]
    except (SyntaxError, IndexError):
        return None
    if not isinstance(node, ast.FunctionDef) or node.name != name:
        return None
    ast.increment_lineno(node, first)
    return Source(node, text_in(source, first))


def _lambda(code: types.CodeType, source: str) -> Source | None:
    """A lambda, which is found by its place in its file."""
    parsed = _parsed(source)
    if parsed is None:
        return None
    lambdas, text = parsed
    found = [n for n in lambdas if n.lineno == code.co_firstlineno]
    places = [p for p in code.co_positions() if p[0] is not None and p[2] is not None and p[1:] != (p[0], 0, 0)]
    line, _, column, _ = max(places, key=lambda p: (p[1] or 0, p[3] or 0))
    inside = [n for n in found if _spans(n.body, line or 0, column or 0)]
    inside.sort(key=lambda n: ((n.body.end_lineno or 0), (n.body.end_col_offset or 0)))
    return Source(inside[0], text) if inside else None


def _spans(node: ast.expr, line: int, column: int) -> bool:
    return (node.lineno, node.col_offset) <= (line, column) < (node.end_lineno or 0, node.end_col_offset or 0)


@functools.lru_cache(maxsize=64)
def _parsed(source: str) -> tuple[list[ast.Lambda], Callable[[ast.AST], str]] | None:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    return [n for n in ast.walk(tree) if isinstance(n, ast.Lambda)], text_in(source)
