"""Write temporaries where they are used, where that is once or costs nothing; name the others."""

import ast
from collections.abc import Callable

from handgrad.derive.emit.source import written
from handgrad.derive.lines.steps import Step, named, uses

LONG, SHORT = 96, 24
"""The length of source beyond which what is longer than the second has a line of its own."""


def settled(steps: list[Step], fresh: Callable[[str], str]) -> list[Step]:
    """The steps with no more temporaries than they need, named by `fresh` after what they may be called."""
    kept: list[Step] = []
    for step in reversed(steps):
        if not step.hint:
            kept.append(step)
            continue
        times = sum(uses(part, step.name) for other in kept for part in other.expressions())
        if times == 0:
            continue
        if step.value is not None and not step.in_place and (times == 1 or is_free(step.value)):
            inlined = [_with(other, step.name, step.value) for other in kept]
            if times > 1 or not _too_long(inlined, kept, step.value):
                kept = inlined
                continue
        kept.append(step)
    names = {step.name: fresh(step.hint) for step in reversed(kept) if step.hint}

    def rename(node: ast.expr) -> ast.expr | None:
        return type(node)(names[node.id], node.ctx) if isinstance(node, ast.Name) and node.id in names else None

    done = []
    for step in reversed(kept):
        step = step.rebuilt(rename)
        done.append(Step(**{**vars(step), "name": names.get(step.name, step.name)}))
    return done


def _with(step: Step, name: str, value: ast.expr) -> Step:
    """A step with a value in the place of a temporary; the same object where it has none."""
    if not any(uses(part, name) for part in step.expressions()):
        return step
    return step.rebuilt(named({name: value}.get))


def _too_long(inlined: list[Step], kept: list[Step], value: ast.expr) -> bool:
    """Whether a line that a temporary was written into has become too long to read."""
    changed = [new for new, old in zip(inlined, kept, strict=True) if new is not old]
    return len(written(value)) > SHORT and any(len(written(e)) > LONG for new in changed for e in new.expressions())


def is_free(node: ast.expr) -> bool:
    """Whether an expression is as cheap to write, and to compute, as a name: a name's negative, or a part of it."""
    match node:
        case ast.Name() | ast.Constant():
            return True
        case ast.Attribute(inner) | ast.UnaryOp(_, inner) | ast.Subscript(inner, ast.Constant()):
            return is_free(inner)
        case ast.BinOp(left, ast.Add() | ast.Sub(), right):
            return isinstance(left, ast.Name | ast.Constant) and isinstance(right, ast.Name | ast.Constant)
        case ast.Compare(left, _, rights):
            return all(isinstance(part, ast.Name | ast.Constant) for part in (left, *rights))
        case ast.List(parts) | ast.Tuple(parts):
            return all(is_free(part) for part in parts)
    return False
