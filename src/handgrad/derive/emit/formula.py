"""Formulas as they are written on paper: what LaTeX and plain text are made from."""

from dataclasses import dataclass
from fractions import Fraction as Ratio
from typing import Union


@dataclass(frozen=True)
class Number:
    """A number; one with a denominator is a decimal where it is a short one."""

    value: int | Ratio


@dataclass(frozen=True)
class Letter:
    """An index."""

    text: str


@dataclass(frozen=True)
class Symbol:
    """An element of a tensor of the program, a number or size that it names, or a constant of mathematics."""

    name: str
    indices: tuple["Formula", ...] = ()


@dataclass(frozen=True)
class Code:
    """A piece of source that no formula says, and the indices of its axes."""

    text: str
    indices: tuple["Formula", ...] = ()


@dataclass(frozen=True)
class Group:
    """Several indices read as one, the last running fastest."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True)
class Times:
    """A product, in order."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True)
class Fraction:
    """A quotient, written over a line."""

    over: "Formula"
    under: "Formula"


@dataclass(frozen=True)
class Power:
    """A formula to the power of another."""

    base: "Formula"
    exponent: "Formula"


@dataclass(frozen=True)
class Minus:
    """A formula with a minus before it."""

    body: "Formula"


@dataclass(frozen=True)
class Plus:
    """A sum of terms; those that are a `Minus` are subtracted."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True)
class Sigma:
    """The sum over indices of what stands after it."""

    over: tuple[Letter, ...]
    body: "Formula"


@dataclass(frozen=True)
class Apply:
    """A function of formulas; with `over`, of all that one takes when these indices run, as argmax is."""

    function: str
    arguments: tuple["Formula", ...]
    over: tuple[Letter, ...] = ()


@dataclass(frozen=True)
class Where:
    """One where a condition holds, zero elsewhere."""

    condition: "Formula"


@dataclass(frozen=True)
class Relation:
    """Two formulas and what stands between: `=`, `<`, and, in matrix notation, what elements are multiplied by."""

    left: "Formula"
    sign: str
    right: "Formula"


@dataclass(frozen=True)
class Transposed:
    """A matrix with rows for columns."""

    body: "Formula"


Formula = Union[
    Number, Letter, Symbol, Code, Group, Times, Fraction, Power, Minus, Plus, Sigma, Apply, Where, Relation, Transposed
]

SUM, PRODUCT, SIGN, ATOM = range(4)
"""How tightly a formula binds."""


def binds(formula: Formula) -> int:
    """How tightly a formula binds to what stands beside it."""
    match formula:
        case Plus() | Relation():
            return SUM
        case Minus():
            return SUM
        case Sigma() | Times():
            return PRODUCT
        case Number(value) if value < 0:
            return SUM
    return ATOM


def times(*parts: Formula) -> Formula:
    """A product without products in it, and without ones."""
    flat: list[Formula] = []
    for part in parts:
        flat += part.parts if isinstance(part, Times) else () if part == ONE else (part,)
    return ONE if not flat else flat[0] if len(flat) == 1 else Times(tuple(flat))


def plus(*parts: Formula) -> Formula:
    """A sum without sums in it."""
    flat: list[Formula] = []
    for part in parts:
        flat += part.parts if isinstance(part, Plus) else (part,)
    return flat[0] if len(flat) == 1 else Plus(tuple(flat))


def minus(formula: Formula) -> Formula:
    """The formula with its sign turned."""
    match formula:
        case Minus(body):
            return body
        case Number(value):
            return Number(-value)
    return Minus(formula)


def equal(left: Formula, right: Formula) -> Relation:
    """An equation."""
    return Relation(left, "=", right)


ONE = Number(1)
