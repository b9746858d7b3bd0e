"""Put the terms of a sum together that have a name together: x*A - mean*A is bndiff*A."""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from handgrad.derive.expr import Base, Expr, Factor, Number, Product, exact, merged, put_base, term
from handgrad.derive.indices import plain_order, put_index
from handgrad.derive.lower.graph import Definition, Graph
from handgrad.derive.simplify.matching import Places, matches, unify_all
from handgrad.derive.simplify.opening import expand, reduce
from handgrad.derive.simplify.reasons import Reason
from handgrad.derive.simplify.steps import rewriting


class Sum(NamedTuple):
    """A name that stands for a sum of products, and these."""

    name: str
    definition: Definition
    terms: tuple[tuple[Mapping[Base, Number], Number], ...]


def sums(graph: Graph) -> list[Sum]:
    """All names that stand for sums of products that sum over nothing."""
    known: dict[str, Sum | None] = graph.cache.setdefault("sums", {})
    if len(known) < len(graph.definitions):
        for name, definition in list(graph.definitions.items()):
            if name not in known:
                known[name] = _sum(graph, name, definition)
    return [found for found in known.values() if found is not None]


def _sum(graph: Graph, name: str, d: Definition) -> Sum | None:
    if name in graph.adjoints or d.expr is None or len(d.expr) < 2 or any(product.bound for product, _ in d.expr):
        return None
    terms = [(dict(product.factors), c) for product, c in reduce(graph, d.expr)]
    return Sum(name, d, tuple(sorted(terms, key=lambda t: -len(t[0])))) if len(terms) > 1 else None


@rewriting
def fold(graph: Graph, expr: Expr) -> Expr:
    """The expression with names in place of sums that have one."""
    changed = True
    while changed and len(expr) > 1:
        changed = False
        names = expr.names()
        for known in sums(graph):
            if len(known.terms) > len(expr) or not all(_names(t) <= names for t, _ in known.terms):
                continue
            made = next(_folded(graph, expr, known), None)
            if made is not None:
                expr, changed = made, True
                break
    return expr


def _names(factors: Mapping[Base, Number]) -> frozenset[str]:
    return frozenset(b.name for b in factors if isinstance(b, Factor))


def _folded(graph: Graph, expr: Expr, known: Sum) -> Iterator[Expr]:
    (head, head_coefficient), *others = known.terms
    for product, c in expr:
        for places in _placings(known, head, others, product, expr):
            over = merged([*product.factors, *((put_base(b, places), -p) for b, p in head.items())])
            if len(over) > len(product.factors):
                continue
            gone = {product: c}
            for factors, k in others:
                put = [(put_base(b, places), p) for b, p in factors.items()]
                other, unit = term(product.bound, [*over.items(), *put])
                wanted = exact(Fraction(c) * k / head_coefficient / unit)
                if expr.terms.get(other) != wanted or other in gone:
                    break
                gone[other] = wanted
            else:
                here = Factor(known.name, tuple(put_index(i, places) for i in known.definition.axes))
                made = term(product.bound, [*over.items(), (here, 1)], exact(Fraction(c) / head_coefficient))
                before = Expr([(product, c), *((p, k) for p, k in gone.items() if p != product)])
                graph.reasons.append(Reason("put together", known.name, before, Expr([made])))
                yield reduce(graph, Expr([*((p, k) for p, k in expr if p not in gone), made]))


def _placings(known: Sum, head, others, product: Product, expr: Expr) -> Iterator[Places]:
    needed = [a for i in known.definition.axes for a in plain_order(i)]
    sources = [(head, dict(product.factors))] if head else [(others[0][0], dict(p.factors)) for p in expr.terms]
    for pattern, factors in sources:
        for places, _ in matches(list(pattern.items()), factors, {}, any_power=True):
            if all(a in places for a in needed):
                yield places


@rewriting
def complement(graph: Graph, expr: Expr, known: Sum, which: int) -> Expr:
    """The expression with T - rest for a term of a sum T, where T stands beside it: e / (1 + e) is 1 - 1 / (1 + e)."""
    del graph  # a step is told of it
    factors, coefficient = known.terms[which]
    ((pattern, _),) = factors.items()
    out = []
    for product, c in expr:
        hit = _beside(known, pattern, product)
        if hit is None:
            out.append((product, c))
            continue
        base, places = hit
        here = Factor(known.name, tuple(put_index(i, places) for i in known.definition.axes))
        total = [term((), [(here, 1)], exact(Fraction(1) / coefficient))]
        for k, (others, q) in enumerate(known.terms):
            if k != which:
                put = {put_base(b, places): p for b, p in others.items()}
                total.append(term((), put.items(), exact(-Fraction(q) / coefficient)))
        bound, rest = product
        kept = merged([*rest, (base, -1)])
        for extra, k in total:
            out.append(term(bound, [*kept.items(), *extra.factors], exact(c * k)))
    return Expr(out)


def _rest(known: Sum, which: int) -> Reason:
    """That a term of a sum is the sum without the others."""
    factors, coefficient = known.terms[which]
    whole = Expr([term((), [(Factor(known.name, known.definition.axes), 1)])])
    others = Expr(term((), f.items(), c) for k, (f, c) in enumerate(known.terms) if k != which)
    return Reason("rest", known.name, Expr([term((), factors.items(), coefficient)]), whole - others)


def _beside(known: Sum, pattern: Base, product: Product) -> tuple[Base, Places] | None:
    factors = dict(product.factors)
    for base, power in product.factors:
        if not isinstance(base, Factor) or not isinstance(pattern, Factor) or base.name != pattern.name:
            continue
        if power < 1 or isinstance(power, Fraction):
            continue
        places = unify_all(pattern.indices, base.indices, {})
        needed = [a for i in known.definition.axes for a in plain_order(i)]
        if places is None or not all(a in places for a in needed):
            continue
        here = Factor(known.name, tuple(put_index(i, places) for i in known.definition.axes))
        if here in factors:
            return base, places
    return None


DEEP = 3
"""How often names are opened in what others stood for."""
LONG = 12
"""Sums of more terms are said by nobody."""


class Variant(NamedTuple):
    """A way to write an expression, and why it is the same."""

    expr: Expr
    reasons: tuple[Reason, ...]


def variants(graph: Graph, expr: Expr, normal: Callable[[Graph, Expr], Expr]) -> list[Variant]:
    """Ways to write an expression: as it is, with sums multiplied out, and with the rest of a sum for one of its terms.

    The graph's reasons are taken for those of the expression.
    """
    found = {expr: tuple(graph.reasons)}

    def add(made: Expr, start: Expr, *reasons: Reason) -> Expr:
        graph.reasons = [*found[start], *reasons]
        made = normal(graph, made)
        if len(made) <= LONG:
            found.setdefault(made, tuple(dict.fromkeys(graph.reasons)))
        return made

    for which in (lambda n, _: n in graph.adjoints, lambda _, d: not d.user, lambda *_: True):
        made = expr
        for _ in range(DEEP):
            before, made = made, add(expand(graph, made, which), made)
            if made == before or made not in found:
                break
    for start in tuple(found):
        names = start.names()
        for known in sums(graph):
            for k in range(len(known.terms)) if known.name in names else ():
                made = complement(graph, start, known, k) if _single(known, k) else start
                if made != start:
                    add(made, start, _rest(known, k))
    return [Variant(made, reasons) for made, reasons in found.items()]


def _single(known: Sum, which: int) -> bool:
    """Whether a term of a sum is no more than one name."""
    factors, _ = known.terms[which]
    return len(factors) == 1 and all(isinstance(b, Factor) and p == 1 for b, p in factors.items())
