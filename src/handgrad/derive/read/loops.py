"""Loops and comprehensions: what they run over, one expression a round."""

import ast
from typing import Any

from handgrad.derive.read.reader import MOST_ROUNDS, Reader, is_float
from handgrad.derive.read.targets import word_for


def rounds_of(reader: Reader, over: ast.expr) -> list[ast.expr]:
    """What a loop runs over, one expression a round.

    Raises:
        DeriveError: there are more rounds than anyone would read.
    """
    if isinstance(over, ast.List | ast.Tuple):
        found: list[ast.expr] = list(over.elts)
    else:
        value = reader.evaluate(over)
        if is_float(value):
            found = [ast.Subscript(over, ast.Constant(k), ast.Load()) for k in range(len(value))]
        else:
            found = [_item(reader, v, over, k) for k, v in enumerate(value)]
    if len(found) > MOST_ROUNDS:
        raise reader.refusal(
            f"this loop goes round {len(found)} times", f"Derive it with at most {MOST_ROUNDS} rounds."
        )
    return found


def _item(reader: Reader, value: Any, over: ast.expr, place: int) -> ast.expr:
    if isinstance(value, bool | int | float | str | None):
        return ast.Constant(value)
    if isinstance(value, tuple | list):
        return ast.Tuple([_item(reader, v, over, place) for v in value], ast.Load())
    if isinstance(over, ast.Name | ast.Attribute):
        return ast.Subscript(over, ast.Constant(place), ast.Load())
    return ast.Name(reader.bound(f"{word_for(over)}_{place}", value), ast.Load())


def is_about_sizes(node: ast.expr) -> bool:
    """Whether a loop runs over a range of something that is no number in the source."""
    called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    arguments = node.args if isinstance(node, ast.Call) and called in ("range", "reversed", "enumerate") else []
    return any(isinstance(p, ast.Name | ast.Attribute) for a in arguments for p in ast.walk(a))
