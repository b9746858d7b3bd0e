"""Formulas as they are written on paper: what LaTeX and plain text are made from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from fractions import Fraction as Ratio
from typing import Any


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
class Beside:
    """Tensors laid beside each other along their last axis."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True)
class Transposed:
    """A matrix with rows for columns."""

    body: "Formula"


Formula = (
    Number
    | Letter
    | Symbol
    | Code
    | Group
    | Times
    | Fraction
    | Power
    | Minus
    | Plus
    | Sigma
    | Apply
    | Where
    | Relation
    | Transposed
    | Beside
)

SUM, PRODUCT, SIGN, ATOM = range(4)
"""How tightly a formula binds."""


def binds(formula: Formula) -> int:
    """How tightly a formula binds to what stands beside it."""
    match formula:
        case Relation(_, "@", _):
            return SIGN
        case Relation(_, "*", _) | Sigma() | Times():
            return PRODUCT
        case Plus() | Relation() | Minus():
            return SUM
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


def canonical(formula: Formula) -> Formula:
    """The formula with the parts of sums and products in one order, so that those that differ in it alone are equal."""
    made = {f.name: _canonical(getattr(formula, f.name)) for f in fields(formula)}
    if isinstance(formula, Plus | Times):
        made["parts"] = tuple(sorted(made["parts"], key=repr))
    return type(formula)(**made)


def _canonical(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_canonical, value))
    return canonical(value) if is_dataclass(value) else value


def walk(formula: Formula) -> Iterator[Formula]:
    """A formula and all its parts."""
    yield formula
    for field in fields(formula):
        value = getattr(formula, field.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Formula):
                yield from walk(part)


def broken(formula: Formula, width: int, length: Callable[[Formula], int]) -> list[Formula]:
    """A sum in pieces that are no longer than a width where that can be; anything else in one piece."""
    if not isinstance(formula, Plus):
        return [formula]
    pieces: list[list[Formula]] = [[]]
    for part in formula.parts:
        if pieces[-1] and length(Plus((*pieces[-1], part))) > width:
            pieces.append([])
        pieces[-1].append(part)
    return [piece[0] if len(piece) == 1 else Plus(tuple(piece)) for piece in pieces]


def equal(left: Formula, right: Formula) -> Relation:
    """An equation."""
    return Relation(left, "=", right)


ONE = Number(1)
