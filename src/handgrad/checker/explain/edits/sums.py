"""A sum or a transpose that is missing, too many, or in the wrong place."""

import ast
from collections.abc import Iterator
from typing import Any

from handgrad.checker.explain.edits.core import Context, Proposal, is_method, rule
from handgrad.checker.read.trees import binary, called, expression, method, name, negative, number, with_name

DIMS: tuple[tuple[tuple[int, ...], float], ...] = (
    ((0,), 1.1),
    ((1,), 1.1),
    ((-1,), 1.15),
    ((2,), 1.2),
    ((0, 1), 1.2),
    ((0, 2), 1.3),
    ((1, 2), 1.3),
    ((0, 1, 2), 1.4),
)


def _sum(node: Any, dims: tuple[int, ...], keep: bool) -> ast.expr:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return negative(_sum(node.operand, dims, keep))
    return method(node, "sum", _dim(dims), **({"keepdim": True} if keep else {}))


def _dim(dims: tuple[int, ...]) -> ast.expr:
    return number(dims[0]) if len(dims) == 1 else ast.Tuple([number(d) for d in dims], ast.Load())


def _summed(function: ast.expr, summed: ast.expr, dims: tuple[int, ...], keep: bool) -> ast.expr:
    """The same by a function, as in `np.sum(x, axis=0)`."""
    words = [ast.keyword("dim", _dim(dims)), *([ast.keyword("keepdim", ast.Constant(True))] if keep else [])]
    return ast.Call(function, [summed], words)


@rule(ast.Name, ast.BinOp, ast.Call, ast.UnaryOp, ast.Attribute, ast.Subscript)
def a_sum(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`db = dlogits` where `dlogits.sum(0)` was meant."""
    if ctx.role not in ("value", "operand", "factor"):
        return
    extra = {"value": 0.0, "operand": 0.2, "factor": 0.4}[ctx.role]
    for dims, cost in DIMS:
        for keep in (False, True):
            yield "missing-sum", cost + extra + 0.01 * keep, _sum(node, dims, keep)
    yield "missing-sum", 1.2 + extra, method(node, "sum")


@rule(ast.Name, ast.BinOp, ast.Call, ast.UnaryOp, ast.Attribute, ast.Subscript)
def an_expansion(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`dy / n` where every element of `x` that was averaged gets it."""
    if ctx.role == "value" and ctx.variable in ctx.tensors:
        for cost, like in ((1.3, node), (1.35, _indexed(node, ":, None")), (1.35, _indexed(node, "None"))):
            yield "missing-expansion", cost, method(like, "expand_as", name(ctx.variable))


def _indexed(node: Any, index: str) -> ast.expr:
    indexed: Any = expression(f"x[{index}]")
    return ast.Subscript(node, indexed.slice, ast.Load())


@rule(ast.Call)
def another_sum(node: Any, ctx: Context) -> Iterator[Proposal]:
    """The wrong dimension, a lost keepdim, a mean for a sum, a sum too many or in the wrong place."""
    what = called(node)
    if what not in ("sum", "mean"):
        return
    function = not is_method(node, ctx)
    receiver = node.args[0] if function and node.args else getattr(node.func, "value", None)
    if receiver is None:
        return
    arguments = node.args[1:] if function else node.args
    keeps = any(k.arg in ("keepdim", "keepdims") for k in node.keywords)
    has_dim = bool(arguments) or any(k.arg in ("dim", "axis") for k in node.keywords)
    for dims, cost in DIMS:
        for keep in (False, True):
            changed = _summed(node.func, receiver, dims, keep) if function else _sum(receiver, dims, keep)
            kind = (
                ("shape" if keep != keeps and _same_dims(arguments, dims) else "wrong-dim") if has_dim else "extra-sum"
            )
            yield kind, cost - 0.1 + 0.01 * (keep != keeps), changed if function else with_name(changed, what)
    if has_dim and not keeps and not function:
        copied = ast.Tuple([ast.Slice(), ast.Constant(None)], ast.Load())
        yield "extra-sum", 1.25, ast.Subscript(receiver, copied, ast.Load())
    if has_dim:
        yield "missing-sum", 1.3, with_name(method(receiver, "sum"), what)
    yield "extra-sum", 1.0, receiver
    yield "scale", 0.9, with_name(node, "mean" if what == "sum" else "sum")
    if isinstance(receiver, ast.BinOp) and isinstance(receiver.op, ast.Mult | ast.Div):
        op = type(receiver.op)
        left, right = receiver.left, receiver.right
        yield "misplaced-sum", 1.1, binary(on_receiver(node, left, function), op, right)
        yield "misplaced-sum", 1.1, binary(left, op, on_receiver(node, right, function))
        yield "misplaced-sum", 1.2, binary(on_receiver(node, left, function), op, on_receiver(node, right, function))


@rule(ast.Tuple)
def a_dimension_more_or_less(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`sum((1, 2, 3))` where `sum((2, 3))` was meant."""
    if ctx.role != "dim" or called(ctx.parent) in ("transpose", "permute", "swapaxes"):
        return
    for i in range(len(node.elts)):
        yield "wrong-dim", 0.95, ast.Tuple(node.elts[:i] + node.elts[i + 1 :], ast.Load())
    written = [ast.unparse(dim) for dim in node.elts]
    for dim in range(4):
        if str(dim) not in written:
            dims = sorted([*node.elts, number(dim)], key=ast.unparse)
            yield "wrong-dim", 1.0, ast.Tuple(dims, ast.Load())


def _same_dims(arguments: list[ast.expr], dims: tuple[int, ...]) -> bool:
    return bool(arguments) and ast.unparse(arguments[0]) in (str(dims[0]) if len(dims) == 1 else "", str(dims))


def on_receiver(node: Any, receiver: Any, function: bool) -> ast.Call:
    """The same call on another receiver."""
    if function:
        return ast.Call(node.func, [receiver, *node.args[1:]], node.keywords)
    return ast.Call(ast.Attribute(receiver, node.func.attr, ast.Load()), node.args, node.keywords)


@rule(ast.BinOp)
def a_sum_over_more(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`a * b.sum(0)` where `(a * b).sum(0)` was meant."""
    if not isinstance(node.op, ast.Mult | ast.Div):
        return
    for outer, inner in ((node.left, node.right), (node.right, node.left)):
        if called(inner) in ("sum", "mean") and (function := not is_method(inner, ctx)) in (True, False):
            received = inner.args[0] if function and inner.args else getattr(inner.func, "value", None)
            if received is None:
                continue
            bare = outer
            if called(outer) == called(inner) and is_method(outer, ctx):
                bare = outer.func.value
            op = type(node.op)
            product = binary(bare, op, received) if outer is node.left else binary(received, op, bare)
            yield "misplaced-sum", 1.05, on_receiver(inner, product, function)
            if bare is not outer:
                product = binary(outer, op, received)
                yield "misplaced-sum", 1.2, on_receiver(inner, product, function)
    # a factor one level further out: (c * a) * b.sum(0)
    product = isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Mult)
    if product and called(node.right) in ("sum", "mean") and is_method(node.right, ctx):
        a = node.left.right
        summed = called(a) == called(node.right) and is_method(a, ctx)
        for factor in (a, a.func.value) if summed else (a,):
            moved = on_receiver(node.right, binary(factor, ast.Mult, node.right.func.value), False)
            yield "misplaced-sum", 1.2, binary(node.left.left, ast.Mult, moved)


@rule(ast.Name, ast.BinOp, ast.Call)
def a_transpose(node: Any, ctx: Context) -> Iterator[Proposal]:
    """A transpose that was forgotten."""
    if ctx.in_index or ctx.role in ("function", "dim", "exponent"):
        return
    if isinstance(node, ast.Name) and node.id not in ctx.tensors:
        return
    if isinstance(node, ast.BinOp) and ctx.role != "value":
        return
    yield "transpose", 1.1, ast.Attribute(node, "T", ast.Load())
    yield "transpose", 1.2, method(node, "transpose", number(-2), number(-1))


@rule(ast.Attribute)
def no_transpose(node: Any, _ctx: Context) -> Iterator[Proposal]:
    """A transpose too many."""
    if node.attr in ("T", "mT", "H"):
        yield "transpose", 0.9, node.value
