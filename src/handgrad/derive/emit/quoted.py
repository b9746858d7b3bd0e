"""Pieces of source as formulas: constants, masks, and what a program does with numbers."""

import ast
from collections.abc import Mapping
from fractions import Fraction as Ratio
from typing import Any

from handgrad.derive.emit.formula import (
    Apply,
    Code,
    Formula,
    Fraction,
    Number,
    Power,
    Relation,
    Symbol,
    minus,
    plus,
    times,
)

SIGNS: dict[type[ast.cmpop], str] = {
    ast.Eq: "=",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
FUNCTIONS = frozenset({"exp", "log", "sin", "cos", "tanh", "sign", "abs", "sigmoid", "floor", "ceil", "round"})


Indices = tuple[Formula | None, ...]


class _UnsaidError(Exception):
    pass


def quoted(
    text: str, indices: Indices, values: Mapping[str, Any], known: Mapping[str, Formula] | None = None
) -> Formula:
    """A piece of source as a formula, over the indices of its value; as code where it has no formula.

    Args:
        text: the source.
        indices: those of its value, None for an axis of length one.
        values: what each name in it is.
        known: formulas of some names.

    Example:
        >>> from handgrad.derive.emit.plain import plain
        >>> plain(quoted("E**-0.5", (), {"E": 4}))
        'E^(−½)'
    """
    try:
        return _formula(ast.parse(text, mode="eval").body, indices, values, known or {})
    except (_UnsaidError, SyntaxError):
        return Code(text, tuple(i for i in indices if i is not None))


def _formula(node: ast.expr, indices: Indices, values: Mapping[str, Any], known: Mapping[str, Formula]) -> Formula:
    def inner(part: ast.expr) -> Formula:
        return _formula(part, indices, values, known)

    match node:
        case ast.Name(name) if name in known:
            return known[name]
        case ast.Name(name):
            return Symbol(name, _own(values.get(name), indices))
        case ast.Constant(bool()):
            raise _UnsaidError
        case ast.Constant(int() as value):
            return Number(value)
        case ast.Constant(float() as value) if value == value and abs(value) < float("inf"):
            return Number(Ratio(repr(value)))
        case ast.Attribute(ast.Name("math" | "torch" | "np"), "pi"):
            return Symbol("π")
        case ast.UnaryOp(ast.USub(), operand):
            return minus(inner(operand))
        case ast.UnaryOp(ast.Invert(), operand):
            return _denied(inner(operand))
        case ast.BinOp(left, ast.Add(), right):
            return plus(inner(left), inner(right))
        case ast.BinOp(left, ast.Sub(), right):
            return plus(inner(left), minus(inner(right)))
        case ast.BinOp(left, ast.Mult(), right):
            return times(inner(left), inner(right))
        case ast.BinOp(left, ast.Div(), right):
            return Fraction(inner(left), inner(right))
        case ast.BinOp(left, ast.Pow(), right):
            return Power(inner(left), inner(right))
        case ast.Compare(left, [op], [right]) if type(op) in SIGNS:
            return Relation(inner(left), SIGNS[type(op)], inner(right))
        case ast.Call(ast.Attribute(_, "sqrt"), [operand]):
            return Power(inner(operand), Number(Ratio(1, 2)))
        case ast.Call(ast.Attribute(ast.Name("torch" | "math" | "np"), name), [operand]) if name in FUNCTIONS:
            return Apply(name, (inner(operand),))
    raise _UnsaidError


NOT = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def _denied(condition: Formula) -> Formula:
    match condition:
        case Relation(left, sign, right):
            return Relation(left, NOT[sign], right)
        case Symbol():
            return Relation(condition, "=", Number(0))
    raise _UnsaidError


def _own(value: Any, indices: Indices) -> tuple[Formula, ...]:
    """The indices of a name that is broadcast to those of the whole."""
    shape = tuple(getattr(value, "shape", ()))
    if len(shape) > len(indices):
        raise _UnsaidError
    pairs = list(zip(shape, indices[len(indices) - len(shape) :], strict=True))
    if any(n > 1 and index is None for n, index in pairs):
        raise _UnsaidError
    return tuple(index for n, index in pairs if n > 1 and index is not None)
