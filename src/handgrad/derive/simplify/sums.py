"""Sums that the program has a name for, and sums that come to something short by a definition."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from handgrad.derive.expr import (
    ONE,
    Base,
    Expr,
    Factor,
    Number,
    axes_of,
    element,
    merged,
    opened,
    put_base,
    ratio,
    term,
)
from handgrad.derive.indices import Axis, Form, Index, plain_order, put_index
from handgrad.derive.lower.graph import Graph
from handgrad.derive.lower.signs import is_positive
from handgrad.derive.simplify.deltas import Factors
from handgrad.derive.simplify.matching import Places, matches, unify_all
from handgrad.derive.simplify.opening import depends, instance, reduce
from handgrad.derive.simplify.reasons import Reason

Elements = tuple[tuple[Factor, Number], ...]


class NamedSum(NamedTuple):
    """A name that stands for a sum of one product: what is summed over, inside and in front of it."""

    name: str
    axes: Form
    bound: tuple[Axis, ...]
    inner: Elements
    outer: Elements
    coefficient: Number


def named_sums(graph: Graph) -> list[NamedSum]:
    """All names that stand for a sum of one product."""
    known: dict[str, NamedSum | None] = graph.cache.setdefault("named sums", {})
    if len(known) < len(graph.definitions):
        for name in list(graph.definitions):
            if name not in known:
                known[name] = _named_sum(graph, name)
    return [found for found in known.values() if found is not None]


def _named_sum(graph: Graph, name: str) -> NamedSum | None:
    definition = graph.definitions[name]
    if definition.expr is None or len(definition.expr) != 1:
        return None
    reduced = reduce(graph, definition.expr)
    if len(reduced) != 1:
        return None
    ((product, coefficient),) = reduced
    bound, factors = opened(product)
    elements = [(b, p) for b, p in factors if isinstance(b, Factor)]
    if not bound or len(elements) < len(factors):
        return None
    inner = tuple((b, p) for b, p in elements if depends(b, frozenset(bound)))
    outer = tuple((b, p) for b, p in elements if not depends(b, frozenset(bound)))
    return NamedSum(name, definition.axes, bound, inner, outer, coefficient)


def with_name(
    graph: Graph, bound: frozenset[Axis], factors: Factors, coefficient: Number
) -> tuple[Expr, Reason] | None:
    """The product with a name in place of a sum that has one: sum of counts over v is counts_sum."""
    if not bound:
        return None
    names = {b.name for b in factors if isinstance(b, Factor) and depends(b, bound)}
    for known in named_sums(graph):
        if len(known.bound) > len(bound) or not all(b.name in names for b, _ in known.inner):
            continue
        for places, used in matches(known.inner, factors, {}):
            over = [i for axis in known.bound if isinstance(i := places.get(axis), Axis)]
            if len(set(over)) < len(known.bound) or not set(over) <= bound:
                continue
            rest = {b: p for b, p in factors.items() if b not in used}
            if any(depends(b, frozenset(over)) for b in rest) or not _placed(known, places, over):
                continue
            here = tuple(put_index(i, places) for i in known.axes)
            outer = [(put_base(b, places), -p) for b, p in known.outer]
            if any(p < 0 and not is_positive(graph, b) and factors.get(b, 0) > p for b, p in outer):
                continue  # a division that was not there might be by zero
            made = [(Factor(known.name, here), 1), *outer, *rest.items()]
            value = ratio(coefficient, known.coefficient)
            before = Expr([term(over, [(put_base(b, places), p) for b, p in known.inner])])
            after = Expr([term((), made[: 1 + len(outer)], ratio(1, known.coefficient))])
            reason = Reason("named sum", known.name, before, after)
            return Expr([term(bound - set(over), made, value)]), reason
    return None


def summed_names(graph: Graph) -> set[str]:
    """The names that are in some sum that has a name: no other sum over one of a given tensor's indices goes away."""
    return {b.name for known in named_sums(graph) for b, _ in known.inner}


def _placed(known: NamedSum, places: Places, over: Iterable[Axis]) -> bool:
    needed = {a for i in known.axes for a in plain_order(i)}
    needed |= {a for b, _ in known.outer for a in axes_of(b)}
    if not all(a in places for a in needed):
        return False
    return not any(set(plain_order(places[a])) & set(over) for a in needed)


def to_one(graph: Graph, bound: frozenset[Axis], factors: Factors, coefficient: Number) -> tuple[Expr, Reason] | None:
    """The product without the sum of a softmax, which is one."""
    for axis in bound:
        on = [b for b in factors if axis in axes_of(b)]
        base = on[0] if len(on) == 1 else None
        if not isinstance(base, Factor) or factors[base] != 1:
            continue
        over = sums_to_one(graph, base.name)
        if not over:
            continue
        places = unify_all(graph.definitions[base.name].axes, base.indices, {})
        if places is None or {places.get(a) for a in over} - bound or axis not in {places.get(a) for a in over}:
            continue
        gone = {place for a in over if isinstance(place := places[a], Axis)}
        if len(gone) < len(over):
            continue
        if any(depends(b, frozenset(gone)) for b in factors if b != base):
            continue
        rest = {b: p for b, p in factors.items() if b != base}
        reason = Reason("sums to one", base.name, Expr([term(gone, [(base, 1)])]), ONE)
        return Expr([term(bound - gone, rest.items(), coefficient)]), reason
    return None


def sums_to_one(graph: Graph, name: str) -> tuple[Axis, ...]:
    """The indices over which a tensor sums to one: it is exp(x - logsumexp(x)); none where it is not."""
    key = ("to one", name)
    if key not in graph.cache:
        graph.cache[key] = _sums_to_one(graph, name)
    return graph.cache[key]


def _sums_to_one(graph: Graph, name: str) -> tuple[Axis, ...]:
    definition = graph.definitions.get(name)
    if definition is None or definition.function != "exp":
        return ()
    exponent = definition.arguments[0]
    while (single := exponent.single()) is not None:
        inner = graph.definitions.get(single.name)
        made = None if inner is None else instance(inner, single)
        if made is None:
            return ()
        exponent = made
    exponent = reduce(graph, exponent)
    for product, c in exponent:
        if c != -1 or product.bound or len(product.factors) != 1:
            continue
        ((base, power),) = product.factors
        if not isinstance(base, Factor) or power != 1:
            continue
        total = graph.definitions.get(base.name)
        if total is None or total.function != "logsumexp":
            continue
        rest = exponent + element(base.name, base.indices)
        places = unify_all(total.axes, base.indices, {})
        if places is None:
            continue
        inside = reduce(graph, total.arguments[0].put(places))
        if inside == rest:  # over the same indices already
            return total.over
        over = _lacking(definition.axes, base.indices)
        renamed: dict[Index, Index] = dict(zip(total.over, over, strict=False))
        if len(over) == len(total.over) and inside.put(renamed) == rest:
            return over
    return ()


def _lacking(axes: Form, taken: Form) -> tuple[Axis, ...]:
    """The indices of a tensor that a sum over it has no more."""
    gone = {a for i in taken for a in plain_order(i)}
    return tuple(a for i in axes for a in plain_order(i) if a not in gone)


Normal = Callable[[Graph, Expr, int], Expr]


def by_definition(
    graph: Graph, bound: frozenset[Axis], factors: Factors, coefficient: Number, normal: Normal, depth: int
) -> tuple[Expr, Reason] | None:
    """A sum with a factor's definition in its place, where next to nothing is left: the sum of (x - mean) is zero."""
    for base in sorted(factors, key=lambda b: _company(b, bound, factors)):
        if not isinstance(base, Factor) or factors[base] != 1 or not depends(base, bound):
            continue
        definition = graph.definitions.get(base.name)
        if definition is None or definition.expr is None or len(definition.expr) < 2:
            continue
        if _lasts(graph, axes_of(base) & bound, [b for b in factors if b != base]):
            continue
        made = instance(definition, base)
        if made is None:
            continue
        rest = Expr([term((), ((b, p) for b, p in factors.items() if b != base), coefficient)])
        told = len(graph.reasons)
        result = normal(graph, (made * rest).sum(bound), depth + 1)
        if len(result) <= 1 and not any(product.bound for product, _ in result):
            before = Expr([term(bound, factors.items(), coefficient)])
            return result, Reason(
                "zero by definition" if not result else "simple by definition", base.name, before, result
            )
        del graph.reasons[told:]
    return None


def _company(base: Base, bound: frozenset[Axis], factors: Factors) -> int:
    """How many factors share a summed index with a factor: a sum of it alone is the simplest to look at."""
    over = axes_of(base) & bound
    return sum(not axes_of(b).isdisjoint(over) for b in factors)


def _lasts(graph: Graph, over: frozenset[Axis], factors: list[Base]) -> bool:
    """Whether a sum stays a sum whatever one of its factors stands for: another is given, and in no sum with a name."""
    names = {b.name for b in factors if isinstance(b, Factor) and depends(b, over)}
    return any(graph.definitions[n].given for n in names - summed_names(graph) if n in graph.definitions)


def without_free_sums(graph: Graph, bound: frozenset[Axis], factors: Factors) -> tuple[frozenset[Axis], Factors]:
    """A product whose bound indices all stand in a factor: the others are counted."""
    used = frozenset().union(*(axes_of(b) for b in factors)) if factors else frozenset()
    for axis in bound - used:
        factors = merged([*factors.items(), (graph.sizes.factor(axis.size), 1)])
        bound = bound - {axis}
    return bound, factors


__all__ = ["ONE", "by_definition", "sums_to_one", "to_one", "with_name", "without_free_sums"]
