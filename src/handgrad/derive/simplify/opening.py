"""Open names: those that stand for a product in a product, and those that stand for a sum where that is wanted."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import NamedTuple

from handgrad.derive.expr import (
    Base,
    Delta,
    Expr,
    Factor,
    Number,
    Product,
    axes_of,
    exact,
    merged,
    number,
    opened,
    put_base,
    term,
)
from handgrad.derive.indices import Form
from handgrad.derive.lower.graph import Definition, Graph, is_hidden
from handgrad.derive.lower.signs import is_positive
from handgrad.derive.simplify.matching import unify_all

Which = Callable[[str, Definition], bool]
MANY = 30
"""More products than this are not multiplied out."""


class Body(NamedTuple):
    """What a name stands for that is a product of others."""

    axes: Form
    factors: Mapping[Base, Number]
    coefficient: Number


def body(graph: Graph, name: str) -> Body | None:
    """The product that a name stands for, as its definition has it."""
    definition = graph.definitions.get(name)
    if definition is None or definition.expr is None or len(definition.expr) != 1:
        return None
    ((product, coefficient),) = definition.expr
    if product.bound or any(isinstance(b, Delta) for b, _ in product.factors):
        return None
    return Body(definition.axes, dict(product.factors), coefficient)


def raises(graph: Graph, found: Body, power: Number) -> bool:
    """Whether a power of the product is the product of the powers."""
    if not isinstance(power, Fraction):
        return True
    if found.coefficient != 1:
        return False
    powers = list(found.factors.items())
    if len(powers) == 1:
        ((_, p),) = powers
        return isinstance(p, Fraction) or p % 2 != 0 or is_positive(graph, powers[0][0])
    return all(isinstance(p, Fraction) or is_positive(graph, b) for b, p in powers)


def reduce(graph: Graph, expr: Expr, *, hidden: bool = False) -> Expr:
    """The expression without names that stand for products; with `hidden` the program's own are kept."""
    if not any(_opens(graph, name, hidden) for name in expr.names()):
        return expr
    return Expr(reduce_product(graph, product, c, hidden=hidden) for product, c in expr.opened())


def _opens(graph: Graph, name: str, hidden: bool) -> bool:
    return (is_hidden(name) or not hidden) and body(graph, name) is not None


def reduce_product(
    graph: Graph, product: Product, coefficient: Number, *, hidden: bool = False
) -> tuple[Product, Number]:
    """A product without names that stand for products."""
    factors = dict(product.factors)
    closed: set[Base] = set()
    while True:
        open_ones = (b for b in factors if b not in closed and isinstance(b, Factor) and _opens(graph, b.name, hidden))
        found = next(open_ones, None)
        if found is None:
            return term(product.bound, factors.items(), coefficient)
        assert isinstance(found, Factor)
        inside, power = body(graph, found.name), factors[found]
        assert inside is not None
        places = unify_all(inside.axes, found.indices, {}) if len(inside.axes) == len(found.indices) else None
        if places is None or not raises(graph, inside, power):
            closed.add(found)
            continue
        del factors[found]
        put = [(put_base(b, places), exact(p * power)) for b, p in inside.factors.items()]
        factors = merged([*factors.items(), *put])
        if isinstance(power, int):
            coefficient = exact(coefficient * Fraction(inside.coefficient) ** power)


def instance(definition: Definition, factor: Factor) -> Expr | None:
    """The expression that a factor's name stands for, at the factor's indices."""
    if definition.expr is None:
        return None
    places = unify_all(definition.axes, factor.indices, {})
    return None if places is None else definition.expr.put(places)


def expand(graph: Graph, expr: Expr, which: Which, powers: tuple[int, ...] = (1, 2), *, hidden: bool = False) -> Expr:
    """The expression with the names of some sums multiplied out; as it is where that makes it too long.

    With `hidden` the program's own products are kept.
    """
    out: list[tuple[Product, Number]] = []
    for product, c in expr:
        bound, factors = opened(product)
        total = number(c)
        kept = []
        for base, power in factors:
            made = None
            if isinstance(base, Factor) and power in powers:
                definition = graph.definitions.get(base.name)
                if (
                    definition
                    and definition.expr is not None
                    and len(definition.expr) > 1
                    and which(base.name, definition)
                ):
                    made = instance(definition, base)
            if made is None:
                kept.append((base, power))
                continue
            for _ in range(int(power)):
                total = total * made
        made = total * Expr([term((), kept)])
        out += made.sum(bound)
        if len(out) > MANY:
            return expr
    return reduce(graph, Expr(out), hidden=hidden)


def depends(base: Base, bound: frozenset) -> bool:
    """Whether a factor has one of these indices."""
    return not axes_of(base).isdisjoint(bound)
