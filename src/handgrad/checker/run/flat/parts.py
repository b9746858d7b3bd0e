"""A loop that adds to the loss and computes gradients, as two loops."""

import ast
import copy
from collections.abc import Callable
from typing import Any

from handgrad.checker.read.names import uses
from handgrad.checker.read.trees import simple_statements


def loss_apart(node: ast.For, is_loss: Callable[[str], bool]) -> list[ast.For]:
    """The loop with what the loss needs, then the loop without the lines that add to it; none where there is one part.

    As in `for i in ...: loss += reg * (Ws[i] ** 2).sum(); dWs[i] = ...`.
    """
    lines = [line for line in simple_statements(node) if line is not node]
    adding = [line for line in lines if isinstance(line, ast.AugAssign) and is_loss(getattr(line.target, "id", ""))]
    needed: set[ast.stmt] = set(adding)
    wanted = set().union(*(uses(line).reads for line in adding))
    while new := {line for line in lines if line not in needed and _writes(line) & wanted}:
        needed |= new
        wanted |= set().union(*(uses(line).reads for line in new))
    changes = set().union(*(uses(line).changes for line in needed - set(adding)))
    if not adding or needed == set(lines) or changes:
        return []
    return [_with(node, needed), _with(node, set(lines) - set(adding))]


def _writes(line: ast.stmt) -> set[str]:
    return uses(line).binds | uses(line).changes


def _with(node: Any, kept: set[ast.stmt]) -> Any:
    """The statement with these of the lines inside it."""
    if node in kept or not hasattr(node, "body"):
        return copy.deepcopy(node)
    new = copy.copy(node)
    for block in ("body", "orelse", "finalbody"):
        inside = [part for part in getattr(node, block, []) if kept & {part, *simple_statements(part)}]
        setattr(new, block, [_with(part, kept) for part in inside])
    new.body = new.body or [ast.copy_location(ast.Pass(), node)]
    return new
