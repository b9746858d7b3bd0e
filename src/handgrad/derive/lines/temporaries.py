"""Write temporaries where they are used, where that is once or costs nothing; name the others."""

import ast
from collections.abc import Callable

from handgrad.derive.lines.steps import Step, named, uses
from handgrad.derive.lines.terms import variable

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
            value = step.value
            kept = [other.rebuilt(named({step.name: value}.get)) for other in kept]
        else:
            kept.append(step)
    names = {step.name: fresh(step.hint) for step in reversed(kept) if step.hint}

    def rename(name: str) -> ast.expr | None:
        return variable(names[name]) if name in names else None

    done = []
    for step in reversed(kept):
        step = step.rebuilt(named(rename))
        done.append(Step(**{**vars(step), "name": names.get(step.name, step.name)}))
    return done


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
