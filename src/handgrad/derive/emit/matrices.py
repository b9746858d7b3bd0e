"""Source that is a product of matrices as a formula without indices."""

import ast
from fractions import Fraction as Ratio

from handgrad.derive.emit.formula import Formula, Fraction, Number, Power, Relation, Symbol, Transposed, equal, minus, plus


class _NoMatrices(Exception):
    pass


def in_matrices(line: str) -> Formula | None:
    """An assignment in matrix notation, where its right-hand side is a product of matrices; None elsewhere.

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
        return equal(_formula(target), _formula(node.value))
    except _NoMatrices:
        return None


def _formula(node: ast.expr) -> Formula:
    match node:
        case ast.Name(name):
            return Symbol(name)
        case ast.Constant(int() | float() as value):
            return Number(value if isinstance(value, int) else Ratio(repr(value)))
        case ast.Attribute(value, "T" | "mT"):
            return Transposed(_formula(value))
        case ast.Call(ast.Attribute(value, "transpose"), [ast.UnaryOp(ast.USub(), ast.Constant(2)), ast.UnaryOp(ast.USub(), ast.Constant(1))]):
            return Transposed(_formula(value))
        case ast.Call(ast.Attribute(value, "transpose"), [ast.Constant(1), ast.Constant(2)]):
            return Transposed(_formula(value))
        case ast.UnaryOp(ast.USub(), operand):
            return minus(_formula(operand))
        case ast.BinOp(left, ast.MatMult(), right):
            return Relation(_formula(left), "@", _formula(right))
        case ast.BinOp(left, ast.Mult(), right):
            return Relation(_formula(left), "*", _formula(right))
        case ast.BinOp(left, ast.Add(), right):
            return plus(_formula(left), _formula(right))
        case ast.BinOp(left, ast.Sub(), right):
            return plus(_formula(left), minus(_formula(right)))
        case ast.BinOp(left, ast.Div(), right):
            return Fraction(_formula(left), _formula(right))
        case ast.BinOp(left, ast.Pow(), right):
            return Power(_formula(left), _formula(right))
    raise _NoMatrices
