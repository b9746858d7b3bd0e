"""Sums and products of expressions as a person writes them: signs in front, numbers first, no ones, few brackets.

None of this changes a bit of the result, but for what is done to products of products, and to numbers in them.
"""

import ast
import operator
from collections.abc import Callable
from typing import Any, TypeGuard


class Mask(ast.Name):
    """The name of a tensor of truth values, before which no minus may stand."""


def negated(node: ast.expr) -> bool:
    """Whether a minus sign stands in front."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and node.value < 0
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def positive(node: ast.expr) -> ast.expr:
    """What a minus sign stands in front of."""
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, int | float)
        return ast.Constant(-node.value)
    assert isinstance(node, ast.UnaryOp)
    return node.operand


def is_mask(node: ast.expr) -> bool:
    """Whether an expression is one of truth values, by how it is written."""
    match node:
        case Mask() | ast.Compare() | ast.BoolOp() | ast.UnaryOp(ast.Invert() | ast.Not()):
            return True
        case ast.BinOp(_, ast.BitAnd() | ast.BitOr() | ast.BitXor()):
            return True
        case ast.Subscript(inner) | ast.Call(ast.Attribute(inner, "unsqueeze")):
            return is_mask(inner)
        case ast.Call(ast.Attribute(_, name)):
            return name in ("isfinite", "isnan", "isinf", "logical_and", "logical_or", "logical_not")
    return False


def _starts_with_mask(node: ast.expr) -> bool:
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        node = node.left
    return is_mask(node)


def minus(node: ast.expr) -> ast.expr:
    """`-node`; of a product, a minus before its first factor that is none of truth values."""
    if negated(node):
        return positive(node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div) and _starts_with_mask(node):
        if is_mask(node.left):
            return ast.BinOp(node.left, node.op, minus(node.right))
        return ast.BinOp(minus(node.left), node.op, node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        return ast.BinOp(node.right, ast.Sub(), node.left)
    return ast.UnaryOp(ast.USub(), node)


def binary(op: ast.operator, left: ast.expr, right: ast.expr) -> ast.expr:
    """Two expressions put together by an operator."""
    match op:
        case ast.Add():
            return _sum(left, right)
        case ast.Sub():
            return _sum(left, minus(right)) if negated(right) else ast.BinOp(left, op, right)
        case ast.Mult() | ast.Div() | ast.MatMult():
            if negated(left):
                return minus(binary(op, positive(left), right))
            if negated(right) and not _starts_with_mask(left):
                return minus(binary(op, left, positive(right)))
            return _product(left, right) if isinstance(op, ast.Mult) else _quotient(left, op, right)
        case ast.Pow() if is_number(right, 1):
            return left
    return ast.BinOp(left, op, right)


def _sum(left: ast.expr, right: ast.expr) -> ast.expr:
    if negated(right):
        return binary(ast.Sub(), left, positive(right))
    if negated(left):
        return ast.BinOp(right, ast.Sub(), positive(left))
    match left, right:
        case ast.Constant(int(one)), ast.Constant(int(other)):
            return ast.Constant(one + other)
    return ast.BinOp(left, ast.Add(), right)


def _quotient(left: ast.expr, op: ast.operator, right: ast.expr) -> ast.expr:
    if isinstance(op, ast.Div) and is_number(right, 1):
        return left
    if isinstance(op, ast.Div) and (number := _folded(left, right, operator.truediv)) is not None:
        return number
    return ast.BinOp(left, op, right)


def _product(left: ast.expr, right: ast.expr) -> ast.expr:
    """The product, numbers first; one whose right side is a product needs no brackets if that comes first."""
    if is_number(left, 1):
        return right
    if is_number(right, 1):
        return left
    match right:
        case ast.BinOp(ast.Constant(1 | 1.0), ast.Div(), below):
            return ast.Constant(1.0) if ast.dump(below) == ast.dump(left) else ast.BinOp(left, ast.Div(), below)
    if (number := _head(right)) is not None:
        return _headed(right, _scaled(number, left))
    if _is_product(right):
        if isinstance(left, ast.Constant):
            return _scaled(left, right)
        if not _is_product(left):
            return ast.BinOp(right, ast.Mult(), left)
        return ast.BinOp(_product(left, right.left), right.op, right.right)
    return ast.BinOp(left, ast.Mult(), right)


def _is_product(node: ast.expr) -> TypeGuard[ast.BinOp]:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div)


def _head(node: ast.expr) -> ast.Constant | None:
    """The number that a product starts with."""
    while _is_product(node):
        node = node.left
    return node if isinstance(node, ast.Constant) and type(node.value) in (int, float) else None


def _headed(node: ast.expr, head: ast.expr) -> ast.expr:
    """A product with something else in the place of the number that it starts with."""
    if not _is_product(node):
        return head
    return binary(node.op, _headed(node.left, head), node.right)


def _scaled(number: ast.Constant, node: ast.expr) -> ast.expr:
    """`number * node`, the number before all factors."""
    if is_number(number, 1):
        return node
    if isinstance(node, ast.Constant):
        folded = _folded(number, node, operator.mul)
        return folded if folded is not None else ast.BinOp(number, ast.Mult(), node)
    if _is_product(node):
        return binary(node.op, _scaled(number, node.left), node.right)
    return ast.BinOp(number, ast.Mult(), node)


def _folded(left: ast.expr, right: ast.expr, compute: Callable[[Any, Any], Any]) -> ast.Constant | None:
    """Two numbers as one, where that is no longer than they are."""
    numbers = [n.value for n in (left, right) if isinstance(n, ast.Constant) and type(n.value) in (int, float)]
    if len(numbers) != 2 or not numbers[1]:
        return None
    value = compute(*numbers)
    return ast.Constant(value) if len(repr(value)) <= max(len(repr(n)) for n in numbers) + 1 else None


def is_number(node: ast.expr, value: float) -> bool:
    """Whether an expression is this number, written out."""
    return isinstance(node, ast.Constant) and not isinstance(node.value, bool) and node.value == value
