"""The text of an exercise: what is given, what is the learner's answer, and the same with other sizes."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

BEGIN = "# YOUR CODE HERE"
END = "# END OF YOUR CODE"

NOT_BY_HAND = {"grad", "autograd", "backward", "requires_grad", "requires_grad_", "retain_grad", "func"}
"""Attributes by which PyTorch would find the gradient."""


@dataclass(frozen=True)
class Parts:
    """A file cut in three; `first` is the number of the answer's first line."""

    before: str
    answer: str
    after: str

    @property
    def first(self) -> int:
        """The line on which the answer begins."""
        return self.before.count("\n") + 1


def cut(text: str) -> Parts | None:
    """Cut at the two marks; the second one is only there where something follows the answer.

    None where the first mark is missing.
    """
    lines = text.splitlines(keepends=True)
    marks = [line.strip() for line in lines]
    if BEGIN not in marks:
        return None
    begin = marks.index(BEGIN) + 1
    end = marks.index(END, begin) if END in marks[begin:] else len(lines)
    return Parts("".join(lines[:begin]), "".join(lines[begin:end]), "".join(lines[end:]))


def is_answer(text: str, line: int) -> bool:
    """Whether this line belongs to the answer."""
    parts = cut(text)
    return parts is not None and parts.first <= line < parts.first + len(parts.answer.splitlines())


def graft(text: str, answer: str) -> str:
    """The text with another answer."""
    parts = cut(text)
    assert parts is not None
    return parts.before + answer + parts.after


def resize(text: str, sizes: dict[str, int], seed: int) -> str:
    """The same program with other sizes and another seed; every line stays where it is.

    Example:
        >>> resize("N, D = 5, 7\\ng = torch.Generator().manual_seed(1)", {"N": 3, "D": 4}, 2)
        'N, D = 3, 4\\ng = torch.Generator().manual_seed(2)'
    """
    lines = text.encode().splitlines(keepends=True)
    places = {(c.lineno, c.col_offset): (c.end_col_offset, new) for c, new in _replacements(text, sizes, seed)}
    for (line, start), (end, new) in sorted(places.items(), reverse=True):
        old = lines[line - 1]
        lines[line - 1] = old[:start] + str(new).encode() + old[end:]
    return b"".join(lines).decode()


def _replacements(text: str, sizes: dict[str, int], seed: int) -> Iterator[tuple[ast.expr, int]]:
    for node in ast.parse(text).body:
        for part in ast.walk(node):
            if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr == "manual_seed":
                yield from ((c, seed) for c in part.args if isinstance(c, ast.Constant))
        if isinstance(node, ast.Assign):
            target = node.targets[0]
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            for name, value in pairs:
                if isinstance(name, ast.Name) and name.id in sizes and isinstance(value, ast.Constant):
                    yield value, sizes[name.id]


def changed_line(text: str, original: str, sizes: dict[str, int]) -> int | None:
    """The first line outside the answer that is no longer the exercise's own, or None.

    Comments, prints, and the sizes and the seed may be changed.
    """
    ours, theirs = (list(_statements(resize(t, sizes, 0))) for t in (original, text))
    for mine, other in zip(ours, theirs, strict=False):
        if mine[1] != other[1]:
            return other[0]
    if len(ours) != len(theirs):
        return theirs[len(ours)][0] if len(theirs) > len(ours) else len(text.splitlines())
    return None


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Line and content of each statement outside the answer; of a loop around it, one by one."""
    parts = cut(text)
    assert parts is not None

    def flatten(body: list[ast.stmt]) -> Iterator[tuple[int, str]]:
        for node in body:
            if isinstance(node, ast.Expr) or is_answer(text, node.lineno):
                continue
            if isinstance(node, ast.For) and node.lineno < parts.first <= (node.end_lineno or 0):
                yield node.lineno, ast.dump(node.target) + ast.dump(node.iter)
                yield from flatten(node.body)
            else:
                yield node.lineno, ast.dump(node)

    yield from flatten(ast.parse(text).body)


def not_by_hand(text: str) -> tuple[int, str] | None:
    """Line and name of the first thing in the answer that has PyTorch find the gradient, or None."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Attribute(attr=name) | ast.Name(id=name):
                names = [name]
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names = [part for alias in aliases for part in alias.name.split(".")]
            case _:
                continue
        for name in names:
            if name in NOT_BY_HAND and is_answer(text, node.lineno):
                return node.lineno, name
    return None


def unwritten(text: str, gradients: list[str]) -> list[str]:
    """The gradients that are assigned nothing but None."""
    written = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign) and not _is_stub(node.value):
            written |= {n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)}
    return [name for name in gradients if name not in written]


def _is_stub(value: ast.expr) -> bool:
    if isinstance(value, ast.Tuple):
        return all(_is_stub(v) for v in value.elts)
    return isinstance(value, ast.Constant) and value.value in (None, ...)


def code_lines(text: str) -> int:
    """How many lines of the answer are code."""
    parts = cut(text)
    assert parts is not None
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in parts.answer.splitlines())
