"""A loop that adds to the loss and computes gradients, as two loops."""

import ast
import copy
from collections.abc import Callable, Iterator
from typing import Any

from handgrad.checker.read.names import uses
from handgrad.checker.read.trees import called, simple_statements

_VIEWS = {"reshape", "view", "ravel", "squeeze", "expand_dims", "transpose", "swapaxes", "asarray", "detach", "numpy"}
_JUMPS = ast.Continue | ast.Break | ast.Pass


def loss_apart(node: ast.For, is_loss: Callable[[str], bool]) -> list[ast.For]:
    """The loop with what the loss needs, then the loop without the lines that add to it; none where there is one part.

    As in `for i in ...: loss += reg * (Ws[i] ** 2).sum(); dWs[i] = ...`. What both need is computed twice, so that it
    may change nothing but what it has made itself, and draw nothing at random.
    """
    lines = [line for line in simple_statements(node) if not isinstance(line, ast.For)]
    adding = {line for line in lines if is_loss(_added_to(line))}
    needed = {*adding, *(line for line in lines if isinstance(line, _JUMPS))}
    while True:
        wanted = _reads([*needed, *_headers(node, needed)])
        new = {line for line in lines if line not in needed and _writes(line) & wanted}
        if not new:
            break
        needed |= new
    others, twice = set(lines) - needed, needed - adding
    spoils = _changes(twice) - {name for line in twice for name in _made_anew(line)}
    again = any("rand" in ast.unparse(line) for line in twice)
    if not (adding and others) or spoils or again or any(map(is_loss, _reads(others))):
        return []
    return [_with(node, needed), _with(node, others | twice)]


def _added_to(line: ast.stmt) -> str:
    """The name that a line adds to, as `loss += x` and `loss = loss + x` do; empty where it adds to none."""
    match line:
        case ast.AugAssign(ast.Name(name)):
            return name
        case ast.Assign([ast.Name(name)], ast.BinOp(ast.Name(left), ast.Add() | ast.Sub())) if name == left:
            return name
    return ""


def _headers(node: Any, needed: set[ast.stmt]) -> Iterator[ast.AST]:
    """What is gone through, or asked, by the blocks around the needed lines."""
    if hasattr(node, "body") and needed.intersection(simple_statements(node)):
        yield from (getattr(node, part) for part in ("iter", "test") if hasattr(node, part))
        for block in ("body", "orelse", "finalbody"):
            for part in getattr(node, block, []):
                yield from _headers(part, needed)


def _reads(nodes: Any) -> set[str]:
    return set().union(*(uses(node).reads for node in nodes))


def _writes(line: ast.stmt) -> set[str]:
    return uses(line).binds | uses(line).changes


def _changes(lines: set[ast.stmt]) -> set[str]:
    return set().union(*(uses(line).changes for line in lines))


def _made_anew(line: ast.stmt) -> set[str]:
    """What a line gives a value that shares nothing with another."""
    value = getattr(line, "value", None)
    fresh = isinstance(value, ast.BinOp) or (isinstance(value, ast.Call) and called(value) not in _VIEWS)
    return uses(line).binds if fresh and isinstance(line, ast.Assign) else set()


def _with(node: Any, kept: set[ast.stmt]) -> Any:
    """The statement with these of the lines inside it."""
    if not hasattr(node, "body"):
        return copy.deepcopy(node)
    new = copy.copy(node)
    for block in ("body", "orelse", "finalbody"):
        inside = [part for part in getattr(node, block, []) if kept.intersection(simple_statements(part))]
        setattr(new, block, [_with(part, kept) for part in inside])
    new.body = new.body or [ast.copy_location(ast.Pass(), node)]
    return new
