"""An operator, its operands, brackets or sign."""

import ast
import itertools
from collections.abc import Iterator
from typing import Any

from handgrad.checker.explain.edits.core import Context, Proposal, factor_kind, rule
from handgrad.checker.read.trees import binary, called, expression, method, name, negative, number, same, substitute

OTHER_OPERATORS: dict[type, tuple[tuple[type, str], ...]] = {
    ast.Add: ((ast.Sub, "sign"), (ast.Mult, "wrong-operator")),
    ast.Sub: ((ast.Add, "sign"), (ast.Mult, "wrong-operator")),
    ast.Mult: ((ast.Div, "wrong-operator"), (ast.Add, "wrong-operator"), (ast.MatMult, "wrong-operator")),
    ast.Div: ((ast.Mult, "wrong-operator"),),
    ast.FloorDiv: ((ast.Div, "wrong-operator"),),
    ast.Pow: ((ast.Mult, "wrong-operator"),),
    ast.MatMult: ((ast.Mult, "wrong-operator"),),
}


@rule(ast.BinOp)
def another_operator(node: Any, _ctx: Context) -> Iterator[Proposal]:
    """`*` where `/` was meant."""
    one = isinstance(node.left, ast.Constant) and node.left.value == 1
    for op, kind in OTHER_OPERATORS.get(type(node.op), ()):
        if one and op is ast.Mult:
            continue
        sides = (node.right, node.left) if isinstance(node.op, ast.Pow) else (node.left, node.right)
        yield kind, 0.9, binary(sides[0], op, sides[1])


@rule(ast.BinOp)
def operands_exchanged(node: Any, _ctx: Context) -> Iterator[Proposal]:
    """`y - x` where `x - y` was meant; `dlogits.T @ h` for `h.T @ dlogits`."""
    kind = {ast.Sub: "sign", ast.Div: "wrong-operator", ast.MatMult: "transpose", ast.Pow: "wrong-operator"}.get(
        type(node.op)
    )
    if kind:
        yield kind, 0.9, binary(node.right, type(node.op), node.left)
    if isinstance(node.op, ast.MatMult):
        yield "transpose", 0.95, binary(transposed(node.right), ast.MatMult, transposed(node.left))
        for left, right in ((transposed(node.left), node.right), (node.left, transposed(node.right))):
            yield "transpose", 1.0, binary(left, ast.MatMult, right)
            yield "transpose", 1.2, binary(right, ast.MatMult, left)
        yield "transpose", 1.2, binary(transposed(node.left), ast.MatMult, transposed(node.right))


def transposed(node: Any) -> ast.expr:
    """The expression with a transpose more or less."""
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        return node.value
    return ast.Attribute(node, "T", ast.Load())


@rule(ast.BinOp)
def names_exchanged(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`dq @ Wk.T + dk @ Wq.T` where `dq @ Wq.T + dk @ Wk.T` was meant."""
    if ctx.role != "value":
        return
    names = [part for part in ast.walk(node) if isinstance(part, ast.Name) and part.id in ctx.tensors]
    for one, other in itertools.combinations(names, 2):
        if one.id != other.id and ctx.tensors[one.id].shape == ctx.tensors[other.id].shape:
            once = substitute(node, one, name(other.id))
            yield "wrong-variable", 1.3, substitute(once, other, name(one.id))


@rule(ast.BinOp)
def an_operand_too_many(node: Any, ctx: Context) -> Iterator[Proposal]:
    """A term or a factor that does not belong."""
    if isinstance(node.op, ast.Add | ast.Sub):
        complement = isinstance(node.op, ast.Sub) and isinstance(node.left, ast.Constant) and node.left.value == 1
        yield "extra-term", 1.2, node.left
        yield "wrong-operator" if complement else "extra-term", 1.2, node.right
    elif isinstance(node.op, ast.Mult | ast.Div):
        yield _kind_of_factor(node.right, ctx), _cost_without(node.right), node.left
        if isinstance(node.op, ast.Mult):
            yield _kind_of_factor(node.left, ctx), _cost_without(node.left), node.right
            if isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Mult):
                yield "extra-factor", 1.25, node.left.left
    elif isinstance(node.op, ast.Pow):
        yield "extra-factor", 0.95, node.left


def _kind_of_factor(factor: ast.expr, ctx: Context) -> str:
    return "bessel" if _is_bessel(factor) else factor_kind(factor, ctx, "extra-factor")


def _cost_without(factor: ast.expr) -> float:
    """Another number, in the place of one to be left out, would be an odd one."""
    return 0.85 if _is_bessel(factor) else 0.99 if isinstance(factor, ast.Constant) else 1.2


def _is_bessel(factor: Any) -> bool:
    """Whether it is `n / (n - 1)`, or the inverse."""
    if not isinstance(factor, ast.BinOp) or not isinstance(factor.op, ast.Div):
        return False
    less = [
        isinstance(b, ast.BinOp) and isinstance(b.op, ast.Sub) and same(b.left, a) and ast.unparse(b.right) == "1"
        for a, b in ((factor.left, factor.right), (factor.right, factor.left))
    ]
    return any(less)


@rule(ast.BinOp)
def other_brackets(node: Any, _ctx: Context) -> Iterator[Proposal]:
    """`1 - h**2 * dh` where `(1 - h**2) * dh` was meant."""
    left, op, right = node.left, type(node.op), node.right
    if isinstance(right, ast.BinOp):
        yield "wrong-operator", 1.3, binary(binary(left, op, right.left), type(right.op), right.right)
    if isinstance(left, ast.BinOp):
        yield "wrong-operator", 1.3, binary(left.left, type(left.op), binary(left.right, op, right))
        if isinstance(left.left, ast.BinOp):
            inner = left.left
            regrouped = binary(binary(inner.right, type(left.op), left.right), op, right)
            yield "wrong-operator", 1.5, binary(inner.left, type(inner.op), regrouped)
    if isinstance(left, ast.UnaryOp) and isinstance(left.op, ast.USub) and op is ast.Pow:
        yield "sign", 1.0, negative(binary(left.operand, op, right))


@rule(ast.UnaryOp)
def no_sign(node: Any, ctx: Context) -> Iterator[Proposal]:
    """A minus, or a `~`, too many."""
    if ctx.role == "dim" or ctx.in_index:
        moves = called(ctx.parent) in ("transpose", "permute", "swapaxes")
        kind = "wrong-index" if ctx.in_index else "transpose" if moves else "wrong-dim"
        others = [node.operand, *map(number, (0, 1, 2, -1, -2, -3))]
        yield from ((kind, 1.0, other) for other in others if not same(other, node))
        return
    if ctx.role == "argument" and isinstance(node.operand, ast.Constant):
        yield "wrong-constant", 0.8, node.operand
        return
    yield "sign" if isinstance(node.op, ast.USub) else "wrong-operator", 0.8, node.operand


@rule(ast.Name, ast.BinOp, ast.Call, ast.Attribute, ast.Subscript)
def a_sign(node: Any, ctx: Context) -> Iterator[Proposal]:
    """A minus that was forgotten."""
    if ctx.role in ("value", "operand"):
        yield "sign", 0.9 if ctx.role == "value" else 1.1, negative(node)


_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Gt: ast.Lt, ast.Lt: ast.Gt, ast.GtE: ast.LtE, ast.LtE: ast.GtE}


def _kind_of_mask(written: ast.Compare, mask: ast.expr) -> str:
    """What is wrong with a comparison that should be another."""
    if not (isinstance(mask, ast.Compare) and isinstance(mask.ops[0], type(written.ops[0]))):
        return "wrong-operator"
    return "wrong-variable" if same(mask.comparators[0], written.comparators[0]) else "wrong-constant"


@rule(ast.Name, ast.Compare)
def a_complement(node: Any, ctx: Context) -> Iterator[Proposal]:
    """A mask the wrong way round, or a factor in the place of one minus it."""
    if isinstance(node, ast.Compare):
        for mask in map(expression, ctx.masks):
            short = isinstance(mask, ast.Compare) and isinstance(mask.left, ast.Name | ast.Subscript)
            known = isinstance(mask, ast.Compare) and same(mask.left, node.left)
            yield _kind_of_mask(node, mask), 0.95 if known else 1.02 if short else 1.2, mask
        for op in (ast.Gt, ast.Lt, ast.GtE, ast.LtE, ast.Eq, ast.NotEq):
            if not isinstance(node.ops[0], op):
                turned = _TURNED.get(type(node.ops[0])) is op
                yield "wrong-operator", 0.98 if turned else 1.0, ast.Compare(node.left, [op()], node.comparators)
        yield "wrong-operator", 1.1, ast.Compare(node.left, [ast.Eq()], [method(node.left, "max")])
        return
    if node.id in ctx.integers:
        yield "wrong-operator", 1.2, ast.UnaryOp(ast.Invert(), node)
    elif node.id in ctx.tensors and node.id not in ctx.gradients and not ctx.in_index and ctx.role != "function":
        for mask in ctx.masks if ctx.role == "factor" else ():
            yield "wrong-operator", 1.3, expression(mask)
        yield "missing-term", 1.7, binary(ast.Constant(1), ast.Sub, node)
        yield "missing-factor", 2.2, binary(node, ast.Mult, binary(ast.Constant(1), ast.Sub, node))
        yield "missing-term", 2.2, binary(ast.Constant(1), ast.Sub, binary(node, ast.Pow, ast.Constant(2)))
        yield "missing-term", 2.4, binary(ast.Constant(1), ast.Add, node)
    elif node.id in ctx.sizes and not ctx.in_index:
        yield "wrong-constant", 1.6, binary(ast.Constant(1), ast.Sub, node)


@rule(ast.BinOp, ast.Subscript)
def no_complement(node: Any, ctx: Context) -> Iterator[Proposal]:
    """`x**2` or `z[t]` where one minus it was meant."""
    if isinstance(node, ast.Subscript):
        if ctx.role == "factor" and ctx.counters and not ctx.in_index:
            yield "wrong-operator", 1.3, binary(ast.Constant(1), ast.Sub, node)
    elif isinstance(node.op, ast.Mult | ast.Pow):
        yield "missing-term", 1.8, binary(ast.Constant(1), ast.Sub, node)
        yield "missing-term", 2.0, binary(ast.Constant(1), ast.Add, node)


@rule(ast.BinOp)
def a_whole_derivative(node: Any, _ctx: Context) -> Iterator[Proposal]:
    """`1 - s` where `s * (1 - s)`, of a sigmoid, was meant."""
    if _is_complement(node):
        yield "missing-factor", 1.2, binary(node.right, ast.Mult, node)
    if isinstance(node.op, ast.Mult) and _is_complement(node.right):
        yield "missing-factor", 1.19, binary(binary(node.left, ast.Mult, node.right.right), ast.Mult, node.right)


def _is_complement(node: Any) -> bool:
    """Whether it is `1 - x` of a name or an element."""
    less = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and isinstance(node.left, ast.Constant)
    return less and node.left.value == 1 and isinstance(node.right, ast.Name | ast.Subscript)


@rule(ast.UnaryOp)
def a_missing_one(node: Any, _ctx: Context) -> Iterator[Proposal]:
    """`-h**2` where `1 - h**2` was meant."""
    if isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield "missing-term", 1.2, binary(ast.Constant(1), ast.Sub, node.operand)


@rule(ast.BinOp)
def the_other_derivative(node: Any, _ctx: Context) -> Iterator[Proposal]:
    """`s * (1 - s)`, of a sigmoid, where `1 - t**2`, of a tanh, was meant, and the other way round."""
    if isinstance(node.op, ast.Sub) and isinstance(node.right, ast.BinOp) and isinstance(node.right.op, ast.Pow):
        inner = node.right.left
        yield "wrong-operator", 1.2, binary(inner, ast.Mult, binary(node.left, ast.Sub, inner))
    if isinstance(node.op, ast.Mult) and isinstance(node.right, ast.BinOp) and isinstance(node.right.op, ast.Sub):
        one, inner = node.right.left, node.right.right
        tanh = binary(one, ast.Sub, binary(inner, ast.Pow, ast.Constant(2)))
        if same(node.left, inner):
            yield "wrong-operator", 1.2, tanh
        elif isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Mult) and same(node.left.right, inner):
            yield "wrong-operator", 1.2, binary(node.left.left, ast.Mult, tanh)
