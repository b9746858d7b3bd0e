"""A factor or a term that was forgotten."""

import ast
import itertools
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from handgrad.checker.explain.edits.core import Context, Proposal, factor_kind, only_sizes, rule
from handgrad.checker.read.spelling import owner_of
from handgrad.checker.read.trees import binary, called, expression, method, name, number, same
from handgrad.checker.run.values import holds_float, is_float


@rule(ast.Name, ast.BinOp, ast.Call, ast.UnaryOp, ast.Attribute, ast.Subscript, ast.Constant)
def a_scale(node: Any, ctx: Context) -> Iterator[Proposal]:
    """A division by `n`, or a factor of two, that was forgotten."""
    if ctx.role not in ("value", "operand", "summed", "argument") or ctx.in_index:
        return
    for factor in scales(ctx):
        if same(factor, node):
            yield "scale", 1.5, ast.Constant(1)
            continue
        kind = factor_kind(factor, ctx, "missing-factor") if ctx.role in ("value", "summed") else "missing-factor"
        if isinstance(factor, ast.BinOp) and isinstance(factor.op, ast.Div):
            kind = "bessel"
        extra = (0.0 if ctx.role == "value" else 0.2) + (0.1 if isinstance(factor, ast.BinOp) else 0.0)
        yield kind, 1.5 + extra, binary(node, ast.Div, factor)
        yield (
            kind,
            1.5 + extra,
            _in_front(factor, node) if isinstance(factor, ast.Constant) else binary(node, ast.Mult, factor),
        )


@rule(ast.Name, ast.BinOp, ast.Call)
def the_upstream_gradient(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`2 * h` where `2 * h * dscore[:, None]` was meant."""
    if ctx.role == "value" and not ctx.mentioned & ctx.gradients:
        for other in sorted(ctx.upstream & ctx.tensors.keys()):
            for index in ("", "[:, None]") if ctx.tensors[other].dim() == 1 else ("",):
                yield "missing-factor", 1.3, binary(node, ast.Mult, expression(f"{other}{index}"))


def _in_front(number: ast.expr, node: Any) -> ast.expr:
    """A product with a number in front of its first factor, which a call is not."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        return binary(_in_front(number, node.left), type(node.op), node.right)
    return binary(number, ast.Mult, node)


@rule(ast.Name, ast.Call, ast.Subscript)
def another_size(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`/ B` where `/ out.numel()` was meant."""
    if ctx.role == "factor" and (only_sizes(node) or getattr(node, "id", None) in ctx.sizes):
        counts = (name(n) for n, count in ctx.integers.items() if count.dim() == 0)
        for factor in itertools.chain(counts, scales(ctx)):
            if not isinstance(factor, ast.Constant | ast.BinOp) and not same(factor, node):
                yield "scale", 0.99 if getattr(factor, "id", None) in ctx.integers else 1.05, factor


def scales(ctx: Context) -> Iterator[ast.expr]:
    """Numbers a gradient may lack: named weights and two, then sizes by name and by shape, n - 1, and three."""
    seen: set[float] = {2}
    for n, value in ctx.sizes.items():
        if isinstance(value, float) and value in (0.5, 2) and (owner_of(n) or n in ctx.related | ctx.mentioned):
            yield name(n)
    yield ast.Constant(2)
    named = sorted(
        ((n, v) for n, v in ctx.sizes.items() if v not in (0, 1, 2) and abs(v) < 1e6), key=lambda i: len(i[0])
    )
    for n, value in named:
        if value not in seen:
            seen.add(value)
            yield name(n)
    for shape_of in [ctx.variable, *sorted(ctx.gradients)]:
        tensor = ctx.values.get(shape_of)
        if isinstance(tensor, Tensor):
            if tensor.numel() not in seen and tensor.numel() > 2:
                seen.add(tensor.numel())
                yield expression(f"{shape_of}.numel()")
            for dim, size in enumerate(tensor.shape):
                if size not in seen and size > 2:
                    seen.add(size)
                    yield expression(f"{shape_of}.shape[{dim}]")
    yield from (binary(ast.Constant(1), ast.Sub, name(n)) for n, v in named if isinstance(v, float) and 0 < v < 1)
    for n, value in named:
        if isinstance(value, int) and value > 2:
            yield binary(name(n), ast.Sub, ast.Constant(1))
            yield binary(name(n), ast.Div, binary(name(n), ast.Sub, ast.Constant(1)))
            yield binary(name(n), ast.Pow, ast.Constant(0.5))
    yield ast.Constant(3)


@rule(ast.Name, ast.BinOp, ast.Call, ast.UnaryOp, ast.Attribute, ast.Subscript, late=True)
def a_factor(node: Any, ctx: Context) -> Iterator[Proposal]:
    """A factor that was forgotten: the upstream gradient, a gain, a mask, a derivative."""
    if ctx.role not in ("value", "operand", "summed", "factor", "argument"):
        return
    extra = {"value": 0.0, "operand": 0.1, "summed": 0.05}.get(ctx.role, 0.3)
    for mask in ctx.masks:
        yield "missing-factor", 1.75 + extra, binary(node, ast.Mult, expression(mask))
    for other, tensor in [*ctx.tensors.items(), *ctx.integers.items()]:
        if tensor.dim() > 4:
            continue
        near = 0.0 if other in ctx.gradients else 0.05
        yield "missing-factor", 1.8 + extra + near, binary(node, ast.Mult, name(other))
        if other not in ctx.gradients and is_float(tensor):
            yield "missing-factor", 1.9 + extra, binary(node, ast.Div, name(other))
            for text in ("(1 - {0})", "(1 - {0}**2)", "{0}**2"):
                yield "missing-factor", 2.6 + extra, binary(node, ast.Mult, expression(text.format(other)))
            for what in ("exp", "sigmoid", "cos", "sinh", "sign"):
                yield "missing-factor", 2.8 + extra, binary(node, ast.Mult, method(name(other), what))
        if tensor.dim() == 1:
            for op in (ast.Mult, ast.Div) if is_float(tensor) else (ast.Mult,):
                yield "missing-factor", 2.1 + extra, binary(node, op, expression(f"{other}[:, None]"))
        if ctx.role in ("value", "operand"):
            yield "missing-factor", 2.4 + extra, binary(node, ast.MatMult, name(other))
            yield "missing-factor", 2.4 + extra, binary(node, ast.MatMult, ast.Attribute(name(other), "T", ast.Load()))


@rule(ast.Assign, ast.AugAssign)
def a_factor_at_the_index(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`dp[rows, y] = -1 / n` where `-1 / n / p[rows, y]` was meant."""
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    base = ctx.values.get(getattr(getattr(target, "value", None), "id", ""), ctx.values.get(ctx.variable))
    if not isinstance(target, ast.Subscript) or not isinstance(base, Tensor):
        return
    for other in sorted(n for n in ctx.related & set(ctx.tensors) if ctx.tensors[n].shape == base.shape):
        element = ast.Subscript(name(other), target.slice, ast.Load())
        for op in (ast.Div, ast.Mult):
            value = binary(node.value, op, element)
            new = (
                ast.Assign(node.targets, value)
                if isinstance(node, ast.Assign)
                else ast.AugAssign(target, node.op, value)
            )
            yield "missing-factor", 1.25, new


@rule(ast.Name, ast.BinOp, ast.Call, ast.Subscript)
def a_factor_made_in_the_loop(node: Any, ctx: Context) -> Iterator[Proposal]:
    """A mask of the window, say, that a loop makes and then forgets."""
    if ctx.role in ("value", "operand", "summed"):
        yield from (("missing-factor", 1.25, binary(other, ast.Mult, node)) for other in _made_in_the_loop(ctx))


@rule(ast.Subscript)
def what_is_made_in_the_loop(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`x[i]` where what a loop has made of it was meant."""
    if isinstance(node.ctx, ast.Load) and not ctx.in_index:
        yield from (("wrong-variable", 1.3, other) for other in _made_in_the_loop(ctx))


def _made_in_the_loop(ctx: Context) -> list[ast.expr]:
    return [name(n) for n in sorted(ctx.locals - ctx.counters - ctx.gradients - {ctx.gradient}) if ctx.counters]


@rule(ast.Name, ast.BinOp, ast.Call, ast.Subscript)
def a_term_of_the_round_before(node: Any, ctx: Context) -> Iterator[Proposal]:
    """What the next time step sends back, which a loop carries from round to round and then forgets."""
    if ctx.role in ("value", "argument") and not ctx.in_index:
        for other in sorted(ctx.carried):
            yield "missing-path", 0.95, binary(node, ast.Add, name(other))


@rule(ast.Name)
def a_factor_of_the_step(node: Any, ctx: Context) -> Iterator[Proposal]:
    """A derivative that was left out altogether in a loop over time, where the values lie in a list."""
    if ctx.role != "value" or not ctx.counters:
        return
    lists = [n for n, v in ctx.values.items() if isinstance(v, list | dict) and holds_float(v)]
    for listed, counter, shift in itertools.product(lists, sorted(ctx.counters), ("", " + 1", " - 1")):
        element = f"{listed}[{counter}{shift}]"
        for pattern in ("(1 - {0}**2)", "{0}", "{0} * (1 - {0})", "({0} > 0)"):
            yield "missing-factor", 1.25, binary(node, ast.Mult, expression(pattern.format(element)))
    for other, counter in itertools.product(
        sorted(ctx.related & set(ctx.tensors) - ctx.gradients), sorted(ctx.counters)
    ):
        yield "missing-factor", 1.3, binary(node, ast.Mult, expression(f"{other}[{counter}]"))


@rule(ast.BinOp, ast.Name, ast.Call, late=True)
def a_normaliser(node: Any, ctx: Context) -> Iterator[Proposal]:
    """A softmax sends back `p * (g - (g * p).sum(1, keepdim=True))`; the sum is often forgotten."""
    if ctx.role != "value":
        return
    for dim in (-1, 0):
        for other in sorted(ctx.related & set(ctx.tensors) - ctx.gradients):
            for factor in (name(other), method(name(other), "exp")):
                total = method(node, "sum", number(dim), keepdim=True)
                yield "missing-term", 2.2, binary(node, ast.Sub, binary(factor, ast.Mult, total))


@rule(ast.Call)
def a_jacobian(node: Any, _ctx: Context) -> Iterator[Proposal]:
    """`diag(p)` where `diag(p) - outer(p, p)`, of a softmax, was meant."""
    if called(node) == "diag" and len(node.args) == 1:
        outer = ast.Call(expression("torch.outer"), [node.args[0], node.args[0]], [])
        yield "missing-term", 1.3, binary(node, ast.Sub, outer)


@rule(ast.Name, ast.BinOp, late=True)
def a_mean(node: Any, ctx: Context) -> Iterator[Proposal]:
    """What normalising sends back lacks `g.mean()`, or `x * (g * x).mean()`."""
    is_sum = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)
    sent_back = (ctx.gradients | ctx.prepared) & ctx.mentioned
    if ctx.role == "operand" or ctx.in_index or not (is_sum or getattr(node, "id", "") in sent_back):
        return
    for gradient in sorted(sent_back):
        like = ctx.tensors.get(gradient, ctx.values.get(ctx.variable))
        if not is_float(like):
            continue
        others = [n for n, t in ctx.tensors.items() if t.shape == like.shape and n in ctx.related | ctx.mentioned]
        products = [(None, gradient), *((n, f"({gradient} * {n})") for n in others if n not in ctx.gradients)]
        for (other, product), dim, what in itertools.product(products, (0, 1, -1), ("mean", "sum")):
            text = f"{product}.{what}({dim}, keepdim=True)"
            term = expression(f"{other} * {text}" if other else text)
            yield "missing-term", 2.1, binary(node, ast.Sub, term)
        rows = [n for n, size in ctx.sizes.items() if like.shape[:1] == (size,)]
        rows.sort(key=lambda n: n not in ctx.mentioned)
        for other, n in itertools.product(others, rows[:1]):
            product = f"{other} * ({gradient} * {other}).sum(0)"
            for text in (f"{product} / ({n} - 1)", f"{n} / ({n} - 1) * {product}"):
                yield "missing-term", 2.15, binary(node, ast.Sub, expression(text))


@rule(ast.Name, ast.BinOp, ast.Call, ast.Subscript, late=True)
def a_term(node: Any, ctx: Context) -> Iterator[Proposal]:
    """A term that was forgotten inside an expression."""
    if ctx.role not in ("operand", "factor", "receiver", "value", "argument") or ctx.in_index:
        return
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub) and ctx.role == "operand":
        return
    if isinstance(node, ast.Name) and node.id not in ctx.tensors:
        return
    if ctx.role in ("value", "operand", "factor"):
        for other, tensor in ctx.integers.items():
            if tensor.dim() == 1:
                size = f"{ctx.variable}.shape[-1]"
                hot = f"F.one_hot({other}, {size})" if "F" in ctx.values else f"torch.eye({size})[{other}]"
                yield "missing-term", 2.2, binary(node, ast.Sub, expression(hot))
    for other, tensor in ctx.tensors.items():
        if other in ctx.gradients and ctx.role not in ("value", "operand"):
            continue
        cost = 2.0 if other in ctx.mentioned else 2.3 if other in ctx.related else 2.7
        for text in (other, f"{other}[:, None]") if tensor.dim() == 1 else (other,):
            yield "missing-term", cost, binary(node, ast.Sub, expression(text))
            yield "missing-term", cost, binary(node, ast.Add, expression(text))
