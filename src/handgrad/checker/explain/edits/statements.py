"""A whole statement: `=` for `+=`, one too many, a name exchanged throughout."""

import ast
from collections.abc import Iterator
from typing import Any

from handgrad.checker.explain.edits.core import Context, Proposal, factor_kind, rule
from handgrad.checker.explain.edits.operators import OTHER_OPERATORS
from handgrad.checker.read.trees import as_value, expression, method, name, same


@rule(ast.AugAssign)
def another_assignment(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`-=` where `+=` was meant."""
    for op, kind in OTHER_OPERATORS.get(type(node.op), ())[:1]:
        yield kind, 0.9, ast.AugAssign(node.target, op(), node.value)
    if isinstance(node.op, ast.Add) and not _is_gradient_name(node.target, ctx):
        yield "extra-term", 1.6, ast.Assign([node.target], node.value)


def _is_gradient_name(target: ast.expr, ctx: Context) -> bool:
    return isinstance(target, ast.Name) and target.id in ctx.gradients


@rule(ast.Assign)
def adding_instead(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`dC[Xb] = demb` loses what repeated indices add; a second `dX =` loses the first."""
    target = node.targets[0]
    if isinstance(target, ast.Subscript):
        yield "overwrite", 0.7, ast.AugAssign(target, ast.Add(), node.value)
        base, index = as_value(target.value), target.slice
        indices = index if isinstance(index, ast.Tuple) else ast.Tuple([index], ast.Load())
        put = method(base, "index_put_", indices, node.value, accumulate=True)
        yield "overwrite", 0.8, ast.Expr(put)
    elif isinstance(target, ast.Name) and target.id in ctx.again:
        yield "overwrite", 0.7, ast.AugAssign(target, ast.Add(), node.value)
    if isinstance(target, ast.Name) and target.id == ctx.gradient:
        start = expression(f"torch.zeros_like({ctx.variable})")
        if not same(start, node.value) and ctx.accumulates:
            yield "bad-start", 0.85, ast.Assign(node.targets, start)


@rule(ast.AugAssign)
def accumulating(node: Any, _ctx: Context) -> Iterator[Proposal]:
    """`dC[Xb] += demb` counts a repeated index once."""
    if isinstance(node.target, ast.Subscript) and isinstance(node.op, ast.Add):
        index = node.target.slice
        indices = index if isinstance(index, ast.Tuple) else ast.Tuple([index], ast.Load())
        put = method(as_value(node.target.value), "index_put_", indices, node.value, accumulate=True)
        yield "overwrite", 0.8, ast.Expr(put)


@rule(ast.AugAssign, ast.Expr, ast.Assign)
def a_statement_too_many(node: Any, ctx: Context) -> Iterator[Proposal]:
    """A statement that should not be there."""
    again = isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp) and node.value
    if again and ast.unparse(node.targets[0]) == ast.unparse(again.left):  # `x = x * y`, an `x *= y` written out
        node = ast.AugAssign(node.targets[0], again.op, again.right)
    elif isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Subscript):
        return
    kind = "extra-term"
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Mult | ast.Div):
        kind = factor_kind(node.value, ctx, "extra-factor")
    yield kind, 1.15 if again else 1.4, ast.Pass()


@rule(ast.Assign, ast.AugAssign)
def everywhere(node: Any, ctx: Context) -> Iterator[Proposal]:
    """A variable that was taken for another in every place."""
    times: dict[str, int] = {}
    for part in ast.walk(node.value):
        if isinstance(part, ast.Name):
            times[part.id] = times.get(part.id, 0) + 1
    for wrong in (n for n, count in times.items() if count > 1):
        for pool in (ctx.tensors, ctx.integers):
            for other in pool if wrong in pool else ():
                if other != wrong and pool[other].shape == pool[wrong].shape:
                    far = 0.0 if other in ctx.related or other in ctx.gradients else 0.3
                    replaced = _Renamed(wrong, other).visit(expression(ast.unparse(node.value)))
                    whole = ast.Assign(node.targets, replaced) if isinstance(node, ast.Assign) else None
                    yield "wrong-variable", 1.3 + far, whole or ast.AugAssign(node.target, node.op, replaced)


class _Renamed(ast.NodeTransformer):
    def __init__(self, old: str, new: str):
        self.old, self.new = old, new

    def visit_Name(self, node):
        return name(self.new) if node.id == self.old else node
