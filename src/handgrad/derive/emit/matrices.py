"""Source that is a product of matrices as a formula without indices."""

import ast
from collections.abc import Container
from fractions import Fraction as Ratio

from handgrad.derive.emit.formula import (
    Formula,
    Fraction,
    Number,
    Power,
    Relation,
    Symbol,
    Transposed,
    equal,
    minus,
    plus,
    times,
)


class _NoMatricesError(Exception):
    pass


def in_matrices(line: str, numbers: Container[str] = ()) -> Formula | None:
    """An assignment in matrix notation, where its right-hand side is a product of matrices; None elsewhere.

    Args:
        line: the source.
        numbers: the names of numbers, which multiply a matrix as a whole.

    Example:
        >>> from handgrad.derive.emit.plain import plain
        >>> print(plain(in_matrices("dx = (dh * (1 - h**2)) @ W.T")))
        dx = (dh ⊙ (1 − h²)) Wᵀ
    """
    node = ast.parse(line).body[0]
    if not isinstance(node, ast.Assign) or not any(isinstance(n, ast.MatMult) for n in ast.walk(node)):
        return None
    (target,) = node.targets
    try:
        return equal(_formula(target, numbers), _formula(node.value, numbers))
    except _NoMatricesError:
        return None


def _formula(node: ast.expr, numbers: Container[str]) -> Formula:
    def inner(part: ast.expr) -> Formula:
        return _formula(part, numbers)

    match node:
        case ast.Name(name):
            return Symbol(name)
        case ast.Constant(int() | float() as value):
            return Number(value if isinstance(value, int) else Ratio(repr(value)))
        case ast.Attribute(value, "T" | "mT"):
            return Transposed(inner(value))
        case ast.Call(ast.Attribute(value, "transpose"), [first, second]):
            if (ast.unparse(first), ast.unparse(second)) not in (("-2", "-1"), ("1", "2"), ("2", "3")):
                raise _NoMatricesError
            return Transposed(inner(value))
        case ast.UnaryOp(ast.USub(), operand):
            return minus(inner(operand))
        case ast.BinOp(left, ast.MatMult(), right):
            return Relation(inner(left), "@", inner(right))
        case ast.BinOp(left, ast.Mult(), right):
            first, second = inner(left), inner(right)
            if _number(right, numbers):
                return times(second, first)
            return times(first, second) if _number(left, numbers) else Relation(first, "*", second)
        case ast.BinOp(left, ast.Add(), right):
            return plus(inner(left), inner(right))
        case ast.BinOp(left, ast.Sub(), right):
            return plus(inner(left), minus(inner(right)))
        case ast.BinOp(left, ast.Div(), right):
            return Fraction(inner(left), inner(right))
        case ast.BinOp(left, ast.Pow(), right):
            return Power(inner(left), inner(right))
    raise _NoMatricesError


def _number(node: ast.expr, numbers: Container[str]) -> bool:
    names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
    return all(name in numbers for name in names)
