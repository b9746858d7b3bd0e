"""Logarithms without the tiny number that only keeps them finite, as in `-np.sum(t * np.log(y + 1e-7))`.

Courses derive `y - t` all the same, which differs from the exact gradient by as little.
"""

import ast
import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from handgrad.checker.read.trees import called
from handgrad.checker.run.machine import compile_statement
from handgrad.checker.run.trace import Region, Step

TINY = 1e-5


def tiny_terms(node: ast.AST, values: Mapping[str, Any]) -> Iterator[ast.BinOp]:
    """The sums in logarithms of which one term is tiny, which is their right one or their left one."""
    for part in ast.walk(node):
        for argument in getattr(part, "args", ()) if called(part) in ("log", "log2", "log10") else ():
            sums = isinstance(argument, ast.BinOp) and isinstance(argument.op, ast.Add)
            if sums and any(_is_tiny(side, values) for side in (argument.left, argument.right)):
                yield argument


def _is_tiny(node: ast.expr, values: Mapping[str, Any]) -> bool:
    value = node.value if isinstance(node, ast.Constant) else values.get(getattr(node, "id", ""))
    return type(value) is float and 0 < value <= TINY


def has_any(region: Region, values: Mapping[str, Any]) -> bool:
    """Whether the forward pass of a region has such a logarithm."""
    return any(next(tiny_terms(s.statement.node, values), None) for s in region.steps if not s.backward)


def are_undone(steps: Iterable[Step], values: Mapping[str, Any]) -> bool:
    """Whether a line of the backward pass writes a tiny number too."""
    nodes = (part for step in steps for part in ast.walk(step.statement.node))
    return any(_is_tiny(part, values) for part in nodes if isinstance(part, ast.Constant | ast.Name))


def without(region: Region, values: Mapping[str, Any]) -> Region:
    """The region, its forward pass run without them."""
    return region.taking(_without(step, values) for step in region.steps if not step.backward)


def _without(step: Step, values: Mapping[str, Any]) -> Step:
    node = copy.deepcopy(step.statement.node)
    found = list(tiny_terms(node, values))
    for term in found:
        kept = term.right if _is_tiny(term.left, values) else term.left
        term.left, term.op, term.right = kept, ast.Mult(), ast.copy_location(ast.Constant(1.0), kept)
    return replace(step, code=compile_statement(node, step.statement.place.unit)) if found else step
