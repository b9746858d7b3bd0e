"""What the parts of a line are called, and of what gradients of them consist."""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from handgrad.derive.emit.source import written
from handgrad.derive.lines.arithmetic import binary
from handgrad.derive.lines.steps import Term


def function_of(node: ast.expr) -> str:
    """What an expression calls, as it is written there."""
    return written(node.func if isinstance(node, ast.Call) else node)


def is_rounded(term: Term, value: Any) -> bool:
    """Whether a gradient is of another kind than the value, as a mask times a number is."""
    return not term.constant and term.example.dtype != value.dtype


def elements(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arguments of a call by name, and the elements of those that are lists, as `x_0`, `x_1`, ..."""
    for name, value in arguments.items():
        yield name, value
        if isinstance(value, ast.Tuple | ast.List):
            yield from ((f"{name}_{i}", element) for i, element in enumerate(value.elts))


def item(node: ast.expr, index: int) -> ast.expr:
    """One of several values of an expression."""
    if isinstance(node, ast.List):
        return node.elts[index]
    return ast.Subscript(node, ast.Constant(index), ast.Load())


def added(left: Term, right: Term) -> Term:
    """The sum of two gradients of one value."""
    return Term(binary(ast.Add(), left.source, right.source), left.example + right.example)
