"""The shortest tree for an expression: common factors, sums put together, and names for products."""

import functools
import itertools
import math
from collections.abc import Iterable, Iterator

from handgrad.derive.expr import (
    Base,
    Expr,
    Number,
    Product,
    axes_of,
    merged,
    put_base,
    ratio,
    sort_key,
    term,
)
from handgrad.derive.indices import Axis, Index, fresh
from handgrad.derive.wording.factoring import factored
from handgrad.derive.wording.products import product_tree, summed
from handgrad.derive.wording.tree import Add, Num, Tree, times
from handgrad.derive.wording.words import Words

MANY, FEW = 4, 1
"""Of sums with more terms than the first number, only so many ways to put them together are tried."""
COMMON = 16
"""How many choices of common factors are tried."""


@functools.lru_cache(20_000)
def spelled(p: Product) -> str:
    """A product as text, to put products in an order."""
    return repr(p)


def tree(words: Words, expr: Expr) -> Tree:
    """The cheapest tree found for an expression."""
    if expr not in words.trees:
        words.trees[expr] = _tree(words, expr)
    return words.trees[expr]


def _tree(words: Words, expr: Expr) -> Tree:
    if not expr:
        return Num(0)
    if len(expr) == 1:
        ((only, coefficient),) = expr
        return product_tree(words, only.bound, dict(only.factors), coefficient)
    options = []
    for common in _commons(expr):
        inner = Expr((Product(p.bound, _less(p, common)), c) for p, c in expr)
        front = product_tree(words, (), common, 1)
        for size in _contents(inner):
            options += [times(size, front, made) for made in _sums(words, inner.scale(ratio(1, size)))]
    return cheapest(words, options)


def cheapest(words: Words, trees: Iterable[Tree]) -> Tree:
    """The tree that costs least, of equal ones the first in an order that does not change."""
    costs = [(words.cost(tree), tree) for tree in trees]
    least = min(cost for cost, _ in costs)
    return min((tree for cost, tree in costs if cost == least), key=repr)


def _less(p: Product, common: dict[Base, Number]):
    left = merged([*p.factors, *((b, -q) for b, q in common.items())])
    return tuple(sorted(left.items(), key=lambda f: sort_key(f[0])))


def _contents(expr: Expr) -> list[Number]:
    """Numbers to take out of all terms: what the simplest has, and the sign where most are negative."""
    c = _least(expr)
    values = {abs(v) for _, v in expr}
    negative = sum(v < 0 for _, v in expr)
    signs: list[Number] = [-1] if negative == len(expr) else [1, -1] if 2 * negative > len(expr) or c < 0 else [1]
    if len(expr) > MANY:
        return signs[:1]
    return [
        sign * value for sign in signs for value in dict.fromkeys([1, abs(c), *(values if len(values) == 1 else ())])
    ]


def _least(expr: Expr) -> Number:
    """The number in front of the simplest term."""
    return min(expr, key=lambda t: (len(t[0].bound), sum(abs(p) for _, p in t[0].factors), t[1] < 0, spelled(t[0])))[1]


def _commons(expr: Expr) -> Iterator[dict[Base, Number]]:
    """Factors that all terms have, at each of the powers that leave no division that was not there."""
    shared: dict[Base, set[Number]] | None = None
    for p, _ in expr:
        mine = {b: q for b, q in p.factors if axes_of(b).isdisjoint(p.bound)}
        if shared is None:
            shared = {b: {q} for b, q in mine.items()}
        else:
            shared = {b: s | {mine[b]} for b, s in shared.items() if b in mine}
    choices = []
    for base, powers in (shared or {}).items():
        fitting = [q for q in sorted(powers) if min(powers) < 0 or q == min(powers)]
        choices.append([(base, q) for q in fitting if q > 0 or max(powers) <= 0 or q == min(powers)])
    yield from itertools.islice((dict(c) for c in itertools.product(*choices)), COMMON)


def _sums(words: Words, expr: Expr) -> Iterator[Tree]:
    terms = sorted(expr, key=lambda t: (t[1] < 0, len(t[0].bound), len(t[0].factors), spelled(t[0])))
    if len(terms) == 1:
        yield tree(words, expr)
        return
    yield Add(tuple(tree(words, Expr([t])) for t in terms))
    yield from itertools.islice(_one_sum(words, terms), FEW if len(terms) > MANY else None)
    if len(terms) == 2:
        return
    counts: dict[Base, int] = {}
    for p, _ in expr:
        for base, _ in p.factors:
            if axes_of(base).isdisjoint(p.bound):
                counts[base] = counts.get(base, 0) + 1
    few = FEW if len(terms) > MANY else 4
    for base, k in sorted(counts.items(), key=lambda t: (-t[1], sort_key(t[0])))[:few]:
        if 2 <= k < len(terms):
            inside = Expr(t for t in terms if base in dict(t[0].factors))
            rest = Expr(t for t in terms if base not in dict(t[0].factors))
            yield _add(tree(words, rest), tree(words, inside))
    for factors in factored(expr) if len(terms) <= 2 * MANY else ():
        signs = [-1 if _least(f) < 0 else 1 for f in factors]
        yield times(math.prod(signs), *(tree(words, f.scale(s)) for f, s in zip(factors, signs, strict=True)))


def _add(one: Tree, other: Tree) -> Tree:
    parts = [*(one.parts if isinstance(one, Add) else (one,)), *(other.parts if isinstance(other, Add) else (other,))]
    return Add(tuple(parts))


def _one_sum(words: Words, terms: list[tuple[Product, Number]]) -> Iterator[Tree]:
    """sum_k a b - sum_k a c is sum_k a (b - c), for all terms that share something under their sums."""
    done: set[int] = set()
    for pivot, (first, _) in enumerate(terms):
        if not first.bound or pivot in done:
            continue
        over = words.opened.setdefault(first, tuple(fresh(axis.size) for axis in first.bound))
        mapping: dict[Index, Index] = dict(zip(first.bound, over, strict=True))
        have = {put_base(b, mapping) for b, _ in first.factors if not axes_of(b).isdisjoint(first.bound)}
        inside, rest = [], []
        for k, (p, c) in enumerate(terms):
            put = _aligned(p, mapping, have) if k != pivot else _put(p, mapping)
            if put is None or _reach(p) != _reach(first) or k < pivot:
                rest.append((p, c))
            else:
                done.add(k)
                inside.append(term((), put, c))
        if len(inside) < 2:
            continue
        made = summed(over, tree(words, Expr(inside)))
        yield made if not rest else _add(tree(words, Expr(rest)), made)


def _reach(p: Product) -> frozenset[Axis]:
    """The free indices of the factors that are summed: those of the array that a sum makes."""
    bound = frozenset(p.bound)
    return frozenset(a for b, _ in p.factors if axes_of(b) & bound for a in axes_of(b)) - bound


def _put(p: Product, mapping):
    return [(put_base(b, mapping), q) for b, q in p.factors]


def _aligned(p: Product, mapping, have):
    """The factors of a sum with the indices of another, so that they share as much as they can."""
    best: tuple[int, list] | None = None
    wanted = list(mapping.items())
    if sorted(a.size for a in p.bound) != sorted(a.size for a, _ in wanted):
        return None
    for order in itertools.permutations(p.bound):
        if any(a.size != b.size for a, (b, _) in zip(order, wanted, strict=True)):
            continue
        put = _put(p, {a: m for a, (_, m) in zip(order, wanted, strict=True)})
        shared = sum(b in have for b, _ in put)
        if shared and (best is None or shared > best[0]):
            best = shared, put
    return None if best is None else best[1]
