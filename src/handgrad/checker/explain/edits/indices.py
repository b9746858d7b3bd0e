"""An index or a slice that should be another."""

import ast
import itertools
from collections.abc import Iterator
from typing import Any

from handgrad.checker.explain.edits.core import Context, Proposal, rule
from handgrad.checker.read.trees import binary, expression, method, name, negative, number, same


@rule(ast.Slice)
def another_slice(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`[:, Yb]` where `[range(n), Yb]` was meant; `[:-1]` for `[1:]`."""
    for text in (":", "1:", ":-1", "-1:", "::-1"):
        indexed: Any = expression(f"x[{text}]")
        new = indexed.slice
        if not same(new, node):
            yield "wrong-index", 1.2, new
    if isinstance(ctx.parent, ast.Tuple):
        for n, size in ctx.sizes.items():
            if isinstance(size, int):
                yield "wrong-index", 1.3, expression(f"range({n})")
    for n, size in ctx.sizes.items():
        if isinstance(size, int):
            for lower, upper in (
                (None, name(n)),
                (name(n), None),
                (None, negative(name(n))),
                (negative(name(n)), None),
            ):
                yield "wrong-index", 1.5, ast.Slice(lower, upper, None)
    if node.lower is not None and isinstance(node.upper, ast.BinOp) and isinstance(node.upper.op, ast.Add):
        for counter in sorted(ctx.counters):
            stop = binary(name(counter), ast.Add, node.upper.right)
            yield "wrong-index", 1.25, ast.Slice(name(counter), stop, None)
    if node.upper is not None and node.lower is None:
        for counter in sorted(ctx.locals - set(ctx.tensors)):
            yield "wrong-index", 1.3, ast.Slice(name(counter), binary(name(counter), ast.Add, node.upper), None)


@rule(ast.Subscript)
def another_index(node: Any, ctx: Context) -> Iterator[Proposal]:
    """An index too many, or its parts exchanged."""
    if isinstance(node.slice, ast.Tuple) and len(node.slice.elts) > 1:
        swapped = ast.Tuple(node.slice.elts[::-1], ast.Load())
        yield "wrong-index", 1.1, ast.Subscript(node.value, swapped, node.ctx)
    if not isinstance(node.ctx, ast.Load):
        return
    if ctx.in_index:
        for other, tensor in ctx.integers.items():
            yield "wrong-index", 1.2, name(other)
            if tensor.dim() == 1:
                yield "wrong-index", 1.25, expression(f"{other}[:, None]")
    elif isinstance(node.value, ast.Name):
        yield "wrong-index", 1.6, node.value
        if isinstance(node.slice, ast.Constant):
            yield "missing-sum", 1.4, method(node.value, "sum", number(0))


@rule(ast.Subscript)
def a_row_of_another(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`Yb[k]` in a loop where `Xb[k, j]` was meant."""
    if not (isinstance(node.value, ast.Name) and node.value.id in ctx.integers and isinstance(node.ctx, ast.Load)):
        return
    for other, tensor in ctx.integers.items():
        for counters in itertools.permutations(sorted(ctx.counters), tensor.dim()):
            if other != node.value.id and counters:
                yield "wrong-index", 1.2, expression(f"{other}[{', '.join(counters)}]")


@rule(ast.Name, late=True)
def a_flip(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`W` where `W.flip(-1)` was meant, as a convolution sends back."""
    if node.id in ctx.tensors and not ctx.in_index and ctx.role in ("value", "argument"):
        for dim in range(-1, -1 - min(ctx.tensors[node.id].dim(), 2), -1):
            yield "wrong-index", 1.9 if ctx.role == "value" else 2.5, method(node, "flip", number(dim))


@rule(ast.AugAssign)
def a_missing_index(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`dC += demb[k, j]` where `dC[ix] += demb[k, j]` was meant."""
    if isinstance(node.target, ast.Name):
        for index in [*sorted(ctx.locals - set(ctx.tensors)), *ctx.integers]:
            target = ast.Subscript(name(node.target.id), name(index), ast.Store())
            yield "wrong-index", 1.2, ast.AugAssign(target, node.op, node.value)
