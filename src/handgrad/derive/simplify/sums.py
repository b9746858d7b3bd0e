"""Sums that the program has a name for, and sums that come to something short by a definition."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from handgrad.derive.expr import (
    ONE,
    Axis,
    Base,
    Expr,
    Factor,
    Number,
    axes_of,
    element,
    merged,
    opened,
    plain_order,
    put_base,
    ratio,
    term,
)
from handgrad.derive.lower.graph import Graph
from handgrad.derive.lower.signs import is_positive
from handgrad.derive.simplify.deltas import Factors
from handgrad.derive.simplify.matching import matches, unify_all
from handgrad.derive.simplify.opening import depends, instance, reduce
from handgrad.derive.simplify.reasons import Reason


class NamedSum(NamedTuple):
    """A name that stands for a sum of one product: what is summed over, inside and in front of it."""

    name: str
    axes: tuple
    bound: tuple[Axis, ...]
    inner: tuple[tuple[Base, Number], ...]
    outer: tuple[tuple[Base, Number], ...]
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
    if not bound or not all(isinstance(b, Factor) for b, _ in factors):
        return None
    inner = tuple((b, p) for b, p in factors if depends(b, frozenset(bound)))
    outer = tuple((b, p) for b, p in factors if not depends(b, frozenset(bound)))
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
            over = [places.get(i) for i in known.bound]
            if len(set(over)) < len(over) or not set(over) <= bound:
                continue
            rest = {b: p for b, p in factors.items() if b not in used}
            if any(depends(b, frozenset(over)) for b in rest) or not _placed(known, places, over):
                continue
            here = tuple(None if i is None else put_base(Factor("", (i,)), places).indices[0] for i in known.axes)
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
    return {b.name for known in named_sums(graph) for b, _ in known.inner if isinstance(b, Factor)}


def _placed(known: NamedSum, places, over) -> bool:
    needed = {a for i in known.axes for a in plain_order(i)}
    needed |= {a for b, _ in known.outer for a in axes_of(b)}
    if not all(a in places for a in needed):
        return False
    return not any(set(plain_order(places[a])) & set(over) for a in needed)


def to_one(graph: Graph, bound: frozenset[Axis], factors: Factors, coefficient: Number) -> tuple[Expr, Reason] | None:
    """The product without the sum of a softmax, which is one."""
    for axis in bound:
        on = [(b, p) for b, p in factors.items() if axis in axes_of(b)]
        if len(on) != 1 or on[0][1] != 1 or not isinstance(on[0][0], Factor):
            continue
        ((base, _),) = on
        over = sums_to_one(graph, base.name)
        if not over:
            continue
        places = unify_all(graph.definitions[base.name].axes, base.indices, {})
        if places is None or {places.get(a) for a in over} - bound or axis not in {places.get(a) for a in over}:
            continue
        gone = {places[a] for a in over}
        if any(depends(b, frozenset(gone)) for b in factors if b != base):
            continue
        rest = {b: p for b, p in factors.items() if b != base}
        reason = Reason("sums to one", base.name, Expr([term(gone, [(base, 1)])]), ONE)
        return Expr([term(bound - gone, rest, coefficient)]), reason
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
        total = graph.definitions.get(base.name) if isinstance(base, Factor) and power == 1 else None
        if total is None or total.function != "logsumexp":
            continue
        rest = exponent + element(base.name, base.indices)
        places = unify_all(total.axes, base.indices, {})
        if places is None:
            continue
        inside = reduce(graph, total.arguments[0].put(places))
        if inside == rest:  # over the same indices already
            return total.over
        for over in _orders(graph, definition.axes, base.indices, total.over):
            if inside.put(dict(zip(total.over, over, strict=True))) == rest:
                return over
    return ()


def _orders(graph: Graph, axes, taken, over) -> Iterator[tuple[Axis, ...]]:  # noqa: ARG001
    """The indices of a tensor that a sum may have been over."""
    free = [a for i in axes for a in plain_order(i) if a not in {b for j in taken for b in plain_order(j)}]
    if len(free) == len(over):
        yield tuple(free)


Normal = Callable[[Graph, Expr, int], Expr]


def by_definition(
    graph: Graph, bound: frozenset[Axis], factors: Factors, coefficient: Number, normal: Normal, depth: int
) -> tuple[Expr, Reason] | None:
    """A sum with a factor's definition in its place, where next to nothing is left: the sum of (x - mean) is zero."""
    summed = summed_names(graph)
    lasting = [b for b in factors if isinstance(b, Factor) and depends(b, bound) and b.name not in summed]
    for base in sorted(factors, key=lambda b: _company(b, bound, factors)):
        if not isinstance(base, Factor) or factors[base] != 1 or not depends(base, bound):
            continue
        definition = graph.definitions.get(base.name)
        if definition is None or definition.expr is None or len(definition.expr) < 2:
            continue
        beside = [b for b in lasting if b != base and not axes_of(b).isdisjoint(axes_of(base) & bound)]
        if any(graph.definitions[b.name].given for b in beside if b.name in graph.definitions):
            continue
        made = instance(definition, base)
        if made is None:
            continue
        rest = Expr([term((), {b: p for b, p in factors.items() if b != base}, coefficient)])
        told = len(graph.reasons)
        result = normal(graph, (made * rest).sum(bound), depth + 1)
        if len(result) <= 1 and not any(product.bound for product, _ in result):
            before = Expr([term(bound, factors, coefficient)])
            return result, Reason(
                "zero by definition" if not result else "simple by definition", base.name, before, result
            )
        del graph.reasons[told:]
    return None


def _company(base: Base, bound: frozenset[Axis], factors: Factors) -> int:
    """How many factors share a summed index with a factor: a sum of it alone is the simplest to look at."""
    over = axes_of(base) & bound
    return sum(not axes_of(b).isdisjoint(over) for b in factors)


def without_free_sums(graph: Graph, bound: frozenset[Axis], factors: Factors) -> tuple[frozenset[Axis], Factors]:
    """A product whose bound indices all stand in a factor: the others are counted."""
    used = frozenset().union(*(axes_of(b) for b in factors)) if factors else frozenset()
    for axis in bound - used:
        factors = merged([*factors.items(), (graph.sizes.factor(axis.size), 1)])
        bound = bound - {axis}
    return bound, factors


__all__ = ["ONE", "by_definition", "sums_to_one", "to_one", "with_name", "without_free_sums"]
