"""Index notation: sums of products of indexed factors with rational powers.

    bndiff[n,j] * bnvar_inv[j] - 1/3 * sum over k of probs[n,k] * [Yb[n] = k]

An expression maps each product to its coefficient. All terms are frozen and equal by what they say; bound indices have
canonical names, so two sums that differ in their names alone are equal.
"""

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from handgrad.derive.indices import Axis, Form, Index, fresh, plain_order, put_index

Number = int | Fraction


class Factor(NamedTuple):
    """An element of a named tensor; None is an axis of length one."""

    name: str
    indices: Form


class Delta(NamedTuple):
    """One where the two indices are equal, zero elsewhere."""

    left: Index
    right: Index


Base = Factor | Delta
Powers = tuple[tuple[Base, Number], ...]


class Product(NamedTuple):
    """Factors with their powers, summed over the bound indices."""

    bound: tuple[Axis, ...]
    factors: Powers


def exact(value: Number) -> Number:
    """The number as an integer where it is one."""
    return value.numerator if value.denominator == 1 else value


def ratio(one: Number, other: Number) -> Number:
    """One number divided by another, exactly."""
    return exact(Fraction(one) / Fraction(other))


@functools.lru_cache(100_000)
def axes_of(base: Base) -> frozenset[Axis]:
    """The plain indices in a factor."""
    parts = base.indices if isinstance(base, Factor) else base
    return frozenset(itertools.chain.from_iterable(map(plain_order, parts)))


def put_base(base: Base, mapping: Mapping[Index, Index]) -> Base:
    """The factor with other indices."""
    if not mapping:
        return base
    if isinstance(base, Factor):
        return Factor(base.name, tuple([put_index(i, mapping) for i in base.indices]))
    return Delta(put_index(base.left, mapping), put_index(base.right, mapping))


@functools.lru_cache(100_000)
def sort_key(base: Base) -> str:
    """An order among factors that depends on nothing but what they say."""
    return repr(base)


def merged(factors: Iterable[tuple[Base, Number]]) -> dict[Base, Number]:
    """Factors with the powers of equal ones added; a delta is its own square."""
    out: dict[Base, Number] = {}
    for base, power in factors:
        if isinstance(base, Delta):
            out[_turned(base)] = 1
        else:
            out[base] = exact(out.get(base, 0) + power)
    return {base: power for base, power in out.items() if power}


def term(
    bound: Iterable[Axis], factors: Iterable[tuple[Base, Number]], coefficient: Number = 1
) -> tuple[Product, Number]:
    """A product in canonical form, and its coefficient: whole powers of numbers are taken into it."""
    powers = merged(factors)
    for base in [b for b in powers if isinstance(b, Factor) and b.name[0].isdigit()]:
        whole = powers[base] // 1
        if whole:
            coefficient = exact(coefficient * Fraction(int(base.name)) ** whole)
            powers[base] = exact(powers[base] - whole)
            if not powers[base]:
                del powers[base]
    return _canonical(frozenset(bound), frozenset(powers.items())), coefficient


@functools.lru_cache(200_000)
def _canonical(bound: frozenset[Axis], powers: frozenset[tuple[Base, Number]]) -> Product:
    best: Powers | None = None
    best_bound: tuple[Axis, ...] = ()
    best_key = None
    for order in _orders(bound, powers):
        places = tuple(Axis(axis.size, -k) for k, axis in enumerate(order, 1))
        mapping: dict[Index, Index] = dict(zip(order, places, strict=True))
        made = tuple(sorted(((_turned(put_base(b, mapping)), p) for b, p in powers), key=lambda f: sort_key(f[0])))
        key = tuple((sort_key(b), p) for b, p in made)
        if best_key is None or key < best_key:
            best, best_bound, best_key = made, places, key
    assert best is not None
    return Product(best_bound, best)


def _turned(base: Base) -> Base:
    """A delta with its indices in order."""
    if isinstance(base, Delta) and repr(base.left) > repr(base.right):
        return Delta(base.right, base.left)
    return base


def _orders(bound: frozenset[Axis], powers: frozenset[tuple[Base, Number]]) -> Iterator[tuple[Axis, ...]]:
    """The orders of bound indices to choose from: those that look different are told apart by their looks."""
    if len(bound) < 2:
        yield tuple(bound)
        return
    hidden = {axis: Axis(axis.size, 0) for axis in bound}
    looks: dict[Axis, str] = {}
    for axis in bound:
        mapping: dict[Index, Index] = {**hidden, axis: Axis(axis.size, -1)}
        seen = [f"{put_base(b, mapping)}{p}" for b, p in powers if axis in axes_of(b)]
        looks[axis] = f"{axis.size}{sorted(seen)}"
    groups: dict[str, list[Axis]] = {}
    for axis in sorted(bound, key=lambda a: (looks[a], a.tag)):
        groups.setdefault(looks[axis], []).append(axis)
    for choice in itertools.product(*(itertools.permutations(group) for group in groups.values())):
        yield tuple(itertools.chain.from_iterable(choice))


class Expr:
    """A sum of products, each with its coefficient; frozen."""

    __slots__ = ("_hash", "terms")

    def __init__(self, terms: Iterable[tuple[Product, Number]] = ()):
        """Add up the coefficients of equal products."""
        made: dict[Product, Number] = {}
        for product, coefficient in terms:
            total = made.get(product, 0) + coefficient
            if total:
                made[product] = exact(total)
            else:
                made.pop(product, None)
        self.terms: Mapping[Product, Number] = made
        self._hash: int | None = None

    def __hash__(self) -> int:
        """By the terms, whatever their order."""
        if self._hash is None:
            self._hash = hash(frozenset(self.terms.items()))
        return self._hash

    def __eq__(self, other: object) -> bool:
        """Whether both say the same sum."""
        return isinstance(other, Expr) and self.terms == other.terms

    def __repr__(self) -> str:
        """As it is worked with, for who debugs."""
        return f"Expr({dict(self.terms)})"

    def __len__(self) -> int:
        """How many products there are; none is zero."""
        return len(self.terms)

    def __iter__(self) -> Iterator[tuple[Product, Number]]:
        """Each product with its coefficient."""
        return iter(self.terms.items())

    def __add__(self, other: "Expr") -> "Expr":
        """The sum."""
        return Expr(itertools.chain(self, other))

    def __sub__(self, other: "Expr") -> "Expr":
        """The difference."""
        return self + other.scale(-1)

    def __mul__(self, other: "Expr") -> "Expr":
        """The product, multiplied out."""
        out = []
        for one, k in self.opened():
            for two, c in other.opened():
                out.append(term([*one.bound, *two.bound], [*one.factors, *two.factors], k * c))
        return Expr(out)

    def scale(self, number: Number) -> "Expr":
        """Each coefficient times a number."""
        return self if number == 1 else Expr((product, c * number) for product, c in self)

    def opened(self) -> Iterator[tuple[Product, Number]]:
        """Each product with indices of its own for its bound ones, so that it can be worked with."""
        for product, coefficient in self:
            yield opened(product), coefficient

    def put(self, mapping: Mapping[Index, Index]) -> "Expr":
        """The expression with other free indices."""
        if not mapping:
            return self
        out = []
        for (bound, factors), c in self.opened():
            out.append(term(bound, [(put_base(b, mapping), p) for b, p in factors], c))
        return Expr(out)

    def sum(self, indices: Iterable[Axis]) -> "Expr":
        """The sum over free indices."""
        over = tuple(indices)
        if not over:
            return self
        return Expr(term([*bound, *over], factors, c) for (bound, factors), c in self.opened())

    def names(self) -> frozenset[str]:
        """The names of the tensors in it."""
        return frozenset(b.name for product in self.terms for b, _ in product.factors if isinstance(b, Factor))

    def free(self) -> frozenset[Axis]:
        """The indices that are not summed over."""
        return frozenset().union(*(free(product) for product in self.terms))

    def single(self) -> Factor | None:
        """The one factor that the expression is, where it is no more than that."""
        if len(self.terms) == 1:
            ((product, c),) = self
            if c == 1 and not product.bound and len(product.factors) == 1:
                ((base, power),) = product.factors
                return base if power == 1 and isinstance(base, Factor) else None
        return None


def opened(product: Product) -> Product:
    """The product with indices of its own for its bound ones."""
    if not product.bound:
        return product
    bound = tuple(fresh(axis.size) for axis in product.bound)
    mapping: dict[Index, Index] = dict(zip(product.bound, bound, strict=True))
    return Product(bound, tuple((put_base(b, mapping), p) for b, p in product.factors))


def free(product: Product) -> frozenset[Axis]:
    """The indices of a product that it does not sum over."""
    return frozenset().union(*(axes_of(b) for b, _ in product.factors)) - frozenset(product.bound)


ZERO = Expr()
ONE = Expr([(Product((), ()), 1)])


def number(value: Number) -> Expr:
    """A number as an expression."""
    return Expr([(Product((), ()), exact(value))]) if value else ZERO


def element(name: str, indices: Form = (), power: Number = 1) -> Expr:
    """An element of a named tensor as an expression."""
    return Expr([term((), [(Factor(name, indices), power)])])


def delta(left: Index, right: Index) -> Expr:
    """One where both indices are equal."""
    return Expr([term((), [(Delta(left, right), 1)])])
