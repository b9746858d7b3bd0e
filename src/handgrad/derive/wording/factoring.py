"""Factors of a sum: a - a*b + c - c*b is (a + c) * (1 - b)."""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from handgrad.derive.expr import Base, Expr, Number, Product, axes_of, exact, opened, term
from handgrad.derive.indices import Axis
from handgrad.derive.wording.products import connected

MOST = 16
"""Sums of more terms are not tried."""

Monomial = tuple[tuple[int, Number], ...]
Polynomial = dict[Monomial, Number]


class Unit(NamedTuple):
    """What is one letter of a polynomial: a factor, or a sum that has nothing to do with the rest."""

    bound: tuple[Axis, ...]
    factors: tuple[tuple[Base, Number], ...]


def factored(expr: Expr) -> Iterator[list[Expr]]:
    """Ways to write a sum as the product of two: those where a letter stands in one of them only."""
    if not 3 < len(expr) <= MOST:
        return
    units: list[Unit] = []
    whole = {_monomial(product, units): c for product, c in expr}
    if len(whole) < len(expr):
        return
    for k in range(len(units)):
        powers = {dict(m).get(k, 0) for m in whole} - {0}
        if len(powers) != 1:
            continue
        (power,) = powers
        having = {_times(m, {k: -power}): c for m, c in whole.items() if dict(m).get(k)}
        rest = {m: c for m, c in whole.items() if not dict(m).get(k)}
        if len(having) < 2 or not rest or len(rest) % len(having):
            continue
        quotient = _divided(rest, having)
        if quotient is not None and not _new_division(quotient, whole):
            other = {((k, power),): 1, **quotient} if ((k, power),) not in quotient else None
            if other is not None:
                yield [_expr(having, units), _expr(other, units)]


def _monomial(product: Product, units: list[Unit]) -> Monomial:
    bound, factors = product
    powers: dict[int, Number] = {}
    for over, group in connected(frozenset(bound), dict(factors)):
        if over:
            (closed, _) = term(over, group.items())
            parts = [(Unit(closed.bound, closed.factors), 1)]
        else:
            parts = [(Unit((), ((b, 1),)), p) for b, p in group.items()]
        for unit, power in parts:
            if unit not in units:
                units.append(unit)
            k = units.index(unit)
            powers[k] = exact(powers.get(k, 0) + power)
    return tuple(sorted(powers.items()))


def _times(monomial: Monomial, other: dict[int, Number]) -> Monomial:
    powers = dict(monomial)
    for k, p in other.items():
        powers[k] = exact(powers.get(k, 0) + p)
    return tuple(sorted((k, p) for k, p in powers.items() if p))


def _divided(whole: Polynomial, by: Polynomial) -> Polynomial | None:
    """The quotient of two polynomials where nothing is left over; None otherwise."""
    width = 1 + max((k for m in (*whole, *by) for k, _ in m), default=0)

    def order(monomial: Monomial) -> tuple[Number, ...]:
        powers = dict(monomial)
        return tuple(powers.get(k, 0) for k in range(width))

    lead = max(by, key=order)
    left, out = dict(whole), {}
    for _ in range(MOST):
        if not left:
            return out
        top = max(left, key=order)
        step = _times(top, {k: -p for k, p in lead})
        c = exact(Fraction(left[top]) / Fraction(by[lead]))
        out[step] = c
        for m, q in by.items():
            key = _times(m, dict(step))
            value = exact(left.get(key, 0) - c * q)
            left[key] = value
            if not value:
                del left[key]
    return None


def _new_division(made: Polynomial, whole: Polynomial) -> bool:
    least: dict[int, Number] = {}
    for m in whole:
        for k, p in m:
            least[k] = min(least.get(k, 0), p)
    return any(p < 0 and p < least.get(k, 0) for m in made for k, p in m)


def _expr(polynomial: Polynomial, units: list[Unit]) -> Expr:
    out = []
    for monomial, c in polynomial.items():
        bound: list[Axis] = []
        factors: list[tuple[Base, Number]] = []
        for k, p in monomial:
            over, inside = opened(Product(units[k].bound, units[k].factors))
            bound += over
            factors += [(b, exact(q * p)) for b, q in inside]
        out.append(term(bound, factors, c))
    return Expr(out)


__all__ = ["axes_of", "factored"]
