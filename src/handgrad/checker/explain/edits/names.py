"""A name that stands for another, lacks a power or an epsilon."""

import ast
from collections.abc import Iterator
from typing import Any

from handgrad.checker.explain.edits.core import Context, Proposal, rule
from handgrad.checker.read.trees import binary, called, expression, name, number, same
from handgrad.checker.run.values import holds_float


@rule(ast.Name)
def another_variable(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`bndiff2` where `bndiff` was meant."""
    kind = "wrong-index" if ctx.in_index else "wrong-variable"
    for pool in (ctx.tensors, ctx.integers):
        if node.id in pool or node.id == ctx.gradient:
            shape = pool[node.id].shape if node.id in pool else None
            for other, tensor in pool.items():
                if other != node.id:
                    near = tensor.shape == shape
                    akin = (other in ctx.gradients) == (node.id in ctx.gradients)
                    far = 0.0 if other in ctx.related or other in ctx.gradients else 0.45
                    far += 0.02 if other in ctx.gradients - ctx.upstream else 0.0
                    yield kind, (1.0 if near else 1.1 if ctx.raises else 2.0) + (0 if akin else 0.4) + far, name(other)
    if node.id in ctx.sizes:
        for other, size in ctx.sizes.items():
            if other != node.id and size != ctx.sizes[node.id]:
                beside = isinstance(ctx.parent, ast.BinOp) and isinstance(ctx.parent.op, ast.Sub | ast.Add)
                yield kind, 0.93 if beside else 0.88, name(other)
        if node.id in ctx.related and ctx.role == "factor":
            yield "wrong-constant", 0.87, binary(node, ast.Pow, number(0.5))
    if node.id in ctx.locals - ctx.counters:
        for other in sorted(ctx.locals - ctx.counters - {node.id, ctx.gradient}):
            yield kind, 1.05, name(other)
    if ctx.in_index and node.id in ctx.counters and not isinstance(ctx.parent, ast.Slice | ast.BinOp):
        for other, tensor in ctx.integers.items():
            if tensor.dim() == 1:
                yield "wrong-index", 1.02, expression(f"{other}[{node.id}]")
    if ctx.in_index and node.id in ctx.counters:
        for shift in (ast.Sub, ast.Add):
            yield "wrong-index", 1.0, binary(node, shift, ast.Constant(1))
    if ctx.in_index and (node.id in ctx.locals or node.id in ctx.integers or node.id in ctx.sizes):
        for other in sorted(ctx.locals - {node.id} - set(ctx.tensors)):
            yield "wrong-index", 1.05, name(other)
    if node.id == ctx.variable and ctx.role == "receiver":
        yield "bad-start", 1.5, expression(f"torch.zeros_like({ctx.variable})")
    if ctx.in_index and node.id in ctx.integers:
        for dim in ("1", "-1", "0"):
            yield "wrong-index", 1.7, expression(f"{ctx.variable}.argmax({dim})")


@rule(ast.Name)
def another_list(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`gi[t]` where `gf[t]` was meant, of values kept for every step."""
    if ctx.role == "receiver" and isinstance(kept := ctx.values.get(node.id), list | dict) and holds_float(kept):
        for other, value in ctx.values.items():
            if other != node.id and type(value) is type(kept) and holds_float(value):
                yield "wrong-variable", 1.0, name(other)


@rule(ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Constant)
def one_less(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`n` where `n - 1` was meant."""
    if ctx.in_index or ctx.role in ("dim", "exponent", "function"):
        return
    if isinstance(node, ast.Constant) and not (isinstance(node.value, int | float) and node.value > 3):
        return
    if isinstance(node, ast.Name) and node.id not in ctx.sizes:
        return
    if isinstance(node, ast.Attribute) or (isinstance(node, ast.Call) and called(node) not in ("len", "size", "numel")):
        return
    if isinstance(node, ast.Subscript) and not ast.unparse(node.value).endswith(".shape"):
        return
    less = binary(node, ast.Sub, ast.Constant(1))
    if not (
        isinstance(ctx.parent, ast.BinOp) and any(same(less, side) for side in (ctx.parent.left, ctx.parent.right))
    ):
        yield "bessel", 0.9, less


@rule(ast.BinOp)
def not_one_less(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`n - 1` where `n` was meant."""
    if isinstance(node.op, ast.Sub | ast.Add) and isinstance(node.right, ast.Constant) and node.right.value == 1:
        yield "wrong-index" if ctx.in_index else "bessel", 0.9, node.left


@rule(ast.Name, ast.BinOp, ast.Call, ast.Subscript)
def a_power(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`1 - h` where `1 - h**2` was meant."""
    if ctx.in_index or ctx.role in ("dim", "exponent", "function", "receiver-function"):
        return
    known = ctx.tensors.keys() | ctx.sizes.keys() | (ctx.locals - ctx.counters)
    if isinstance(node, ast.Name) and node.id not in known:
        return
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Add | ast.Sub):
        return
    if isinstance(node, ast.Subscript) and ctx.role not in ("operand", "factor"):
        return
    if isinstance(node, ast.Call) and called(node) in ("range", "len", "arange", "sum", "one_hot"):
        return
    for power, cost in ((2, 1.4), (3, 1.9), (-1, 1.8), (-2, 2.0), (0.5, 2.0), (-0.5, 2.1)):
        yield "missing-factor" if power > 1 else "wrong-operator", cost, binary(node, ast.Pow, number(power))


@rule(ast.Name, ast.BinOp)
def an_epsilon(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`bnvar` where `bnvar + 1e-5` was meant."""
    if ctx.in_index or ctx.role in ("dim", "exponent", "function"):
        return
    if isinstance(node, ast.Name) and node.id not in ctx.tensors:
        return
    small = [number(c) for c in ctx.constants if 0 < abs(c) <= 1e-2]
    small += [name(n) for n, v in ctx.sizes.items() if 0 < abs(v) <= 1e-2 and n.lower().startswith("ep")]
    for constant in small:
        yield "epsilon", 1.3, binary(node, ast.Add, constant)


@rule(ast.BinOp)
def no_epsilon(node: Any, ctx: Context) -> Iterator[Proposal]:
    """An epsilon that the forward pass has not."""
    if isinstance(node.op, ast.Add) and _is_small(node.right, ctx):
        yield "epsilon", 1.1, node.left
        for constant in ctx.constants:
            if 0 < abs(constant) <= 1e-2:
                yield "epsilon", 1.1, binary(node.left, ast.Add, number(constant))
        for n, v in ctx.sizes.items():
            if 0 < abs(v) <= 1e-2:
                yield "epsilon", 1.1, binary(node.left, ast.Add, name(n))


def _is_small(node: Any, ctx: Context) -> bool:
    value = node.value if isinstance(node, ast.Constant) else ctx.sizes.get(getattr(node, "id", ""))
    return isinstance(value, int | float) and 0 < abs(value) <= 1e-2
