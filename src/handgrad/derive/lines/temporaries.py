"""Write temporaries where they are used, where that is once or costs nothing; name the others."""

import ast
from collections.abc import Callable, Collection
from dataclasses import replace

from handgrad.derive.emit.source import written
from handgrad.derive.lines.arithmetic import binary
from handgrad.derive.lines.steps import Step, gradient_of, named, uses

LONG, MEDIUM, SHORT = 96, 64, 24
"""Lengths of source: of a line that is too long, of a sum that is not, and of what needs no line of its own."""


def settled(steps: list[Step], fresh: Callable[[str], str], seen: Collection[str]) -> list[Step]:
    """The steps of a line with no more temporaries than they need.

    Args:
        steps: the steps.
        fresh: makes a name from what a temporary may be called.
        seen: the variables whose gradients were given a value before.
    """
    kept = _merged(_inlined(steps))
    for step in list(kept):
        if step.hint and step.value is not None and not step.in_place:
            kept = _under_a_gradient(step, kept, seen)
    names = {step.name: fresh(step.hint) for step in kept if step.hint}

    def rename(node: ast.expr) -> ast.expr | None:
        return type(node)(names[node.id], node.ctx) if isinstance(node, ast.Name) and node.id in names else None

    return [replace(step.rebuilt(rename), name=names.get(step.name, step.name)) for step in kept]


def _inlined(steps: list[Step]) -> list[Step]:
    kept: list[Step] = []
    for step in reversed(steps):
        times = sum(uses(part, step.name) for other in kept for part in other.expressions())
        if step.hint and times == 0:
            continue
        if step.hint and step.value is not None and not step.in_place and (times == 1 or is_free(step.value)):
            inlined = [_with(other, step.name, step.value) for other in kept]
            if times > 1 or not _too_long(inlined, kept, step.value):
                kept = inlined
                continue
        kept.append(step)
    return kept[::-1]


def _merged(steps: list[Step]) -> list[Step]:
    """The steps with what is added to one gradient twice added at once, where that is short."""
    kept: list[Step] = []
    for step in steps:
        last = next((k for k in reversed(range(len(kept))) if kept[k].name == step.name), None)
        both = _both(kept[last], step) if last is not None else None
        if last is not None and both is not None:
            del kept[last]
        kept.append(both or step)
    return kept


def _both(one: Step, other: Step) -> Step | None:
    """A step that does what two do; None where that would be long, or they are not alike."""
    if one.hint or one.in_place or other.in_place or one.value is None or other.value is None:
        return None
    if ast.dump(one.value) == ast.dump(other.value):
        return replace(one, value=binary(ast.Mult(), ast.Constant(2), one.value))
    if one.whole is not None and other.whole is not None:
        return None
    value = binary(ast.Add(), one.value, other.value)
    return replace(one, value=value, whole=None) if len(written(value)) <= MEDIUM else None


def _under_a_gradient(step: Step, steps: list[Step], seen: Collection[str]) -> list[Step]:
    """The steps with a temporary in the place of which the first gradient that is set to it can be used."""
    start = next(k for k, other in enumerate(steps) if other.hint and other.name == step.name)
    step = steps[start]
    for k, other in enumerate(steps):
        is_set = isinstance(other.value, ast.Name) and other.value.id == step.name and other.whole is None
        if k <= start or not is_set or other.hint or other.in_place or other.name in seen:
            continue
        if any(earlier.name == other.name for earlier in steps[:k]):
            return steps
        later = next((i for i in range(k + 1, len(steps)) if steps[i].name == other.name), len(steps))
        if any(uses(part, step.name) for after in steps[later:] for part in after.expressions()):
            return steps
        gradient = gradient_of(other.name)
        rest = [_with(s, step.name, gradient) for s in steps[start + 1 :] if s is not other]
        return [*steps[:start], replace(other, value=step.value), *rest]
    return steps


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
        case ast.Name() | ast.Constant() | ast.Slice():
            return True
        case ast.Attribute(inner) | ast.UnaryOp(_, inner) | ast.Call(ast.Attribute(inner, "t"), []):
            return is_free(inner)
        case ast.Subscript(inner, index):
            return is_free(inner) and is_free(index)
        case ast.BinOp(left, ast.Add() | ast.Sub(), right):
            return isinstance(left, ast.Name | ast.Constant) and isinstance(right, ast.Name | ast.Constant)
        case ast.Compare(left, _, rights):
            return all(isinstance(part, ast.Name | ast.Constant) for part in (left, *rights))
        case ast.List(parts) | ast.Tuple(parts):
            return all(is_free(part) for part in parts)
    return False
