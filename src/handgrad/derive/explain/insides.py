"""Name what a function is of where that is worth a name: h = tanh(x @ W + b) as h_pre = x @ W + b, h = tanh(h_pre)."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from handgrad.derive.read.calls import call_of, evaluated
from handgrad.derive.read.program import Line, Loop, Program
from handgrad.derive.rules.elementwise import SLOPES

LOGITS = frozenset({"softmax", "log_softmax", "cross_entropy", "binary_cross_entropy_with_logits"})
"""Functions of what is called logits."""
OUTSIDE = frozenset({*SLOPES, *LOGITS, "logsumexp", "mse_loss"})
PRODUCTS = frozenset({"matmul", "linear", "einsum", "conv1d", "conv2d", "mv", "addmm", "baddbmm", "bmm"})


def with_insides(program: Program) -> Program:
    """The program with a line of its own for each product of matrices that a function is of."""
    values = dict(program.values)
    lines = tuple(part for line in program.lines for part in _split(line, values))
    return replace(program, lines=lines, values=values) if len(lines) > len(program.lines) else program


def _split(line: Line | Loop, values: dict) -> Iterator[Line | Loop]:
    if isinstance(line, Loop) or len(line.targets) != 1:
        yield line
        return
    call = call_of(line.value, values)
    inside = None if call is None or call.name not in OUTSIDE else call.arguments.get("x")
    if call is None or inside is None or not _has_product(inside, values):
        yield line
        return
    names = [*(["logits"] if call.name in LOGITS else []), f"{line.targets[0]}_pre", f"{line.targets[0]}_inside"]
    name = next(n for n in names if n not in values)
    outer = _put(line.value, inside, name)
    values[name] = evaluated(inside, values)
    for target, made in ((name, inside), (line.targets[0], outer)):
        yield Line((target,), made, f"{target} = {ast.unparse(made)}", line.number)


def _has_product(node: ast.expr, values: dict) -> bool:
    calls = (call_of(part, values) for part in ast.walk(node) if isinstance(part, ast.expr))
    return any(call is not None and call.name in PRODUCTS for call in calls)


def _put(node: Any, inside: ast.expr, name: str) -> Any:
    """An expression with a name in place of a part of it."""
    match node:
        case list():
            return [_put(part, inside, name) for part in node]
        case ast.AST() if node is inside:
            return ast.Name(name, ast.Load())
        case ast.AST():
            return type(node)(**{field: _put(value, inside, name) for field, value in ast.iter_fields(node)})
    return node


__all__ = ["with_insides"]
