"""The tree of one product: its factors in other words, and each sum by itself, one index after the other."""

from collections.abc import Iterable

from handgrad.derive.expr import Base, Delta, Factor, Number, axes_of, exact, put_base, sort_key
from handgrad.derive.indices import Axis, Gathered, Index, Merged, fresh
from handgrad.derive.lower.sizes import is_size
from handgrad.derive.wording.rewording import reword
from handgrad.derive.wording.tree import Flat, Leaf, Mul, Sum, Tree, free, product
from handgrad.derive.wording.words import Words

TRIED = 2
"""How many indices of a sum are tried first."""


def product_tree(words: Words, bound: Iterable[Axis], factors: dict[Base, Number], coefficient: Number) -> Tree:
    """The tree of one product: its factors in other words, and each sum by itself."""
    over = frozenset(bound)
    picked, more = _picked(words, factors)
    if more:
        return product_tree(words, over | set(more), picked, coefficient)
    for base in factors:
        view = _view(base, over)
        if view is not None:
            rest = {b: p for b, p in factors.items() if b != base}
            return Flat(product_tree(words, over - set(view[1]), rest, coefficient), *view[1:])
    factors, k = reword(words, factors)
    parts: list[tuple[Tree, Number]] = []
    for over, group in connected(frozenset(bound), factors):
        if over:
            parts.append((_nested(words, over, group), 1))
        else:
            parts += [(Leaf(b), p) for b, p in ordered(words, group)]
    return roots(exact(coefficient * k), parts)


def _picked(words: Words, factors: dict[Base, Number]) -> tuple[dict[Base, Number], list[Axis]]:
    """Factors in which no table names a place inside a view: an index of its own and a delta say it instead."""
    out: dict[Base, Number] = {}
    more: list[Axis] = []
    for base, power in factors.items():
        mapping: dict[Index, Index] = {}
        for index in base.indices if isinstance(base, Factor) and power == 1 else ():
            if isinstance(index, Merged):
                for part, size in zip(index.indices, index.sizes, strict=True):
                    if isinstance(part, Gathered):
                        mapping[part] = words.inner.setdefault((base, part), fresh(size))
        for part, axis in mapping.items():
            assert isinstance(axis, Axis)
            more.append(axis)
            out[Delta(axis, part)] = 1
        out[put_base(base, mapping)] = power
    return out, more


def _view(base: Base, bound: frozenset[Axis]) -> tuple[Base, tuple[Axis, ...], Axis] | None:
    """The indices that a delta reads as one, where they are summed over, and that one."""
    if isinstance(base, Delta):
        for one, group in ((base.left, base.right), (base.right, base.left)):
            if isinstance(one, Axis) and isinstance(group, Merged) and set(group.indices) <= bound and one not in bound:
                return base, tuple(i for i in group.indices if isinstance(i, Axis)), one
    return None


def roots(coefficient: Number, parts: list[tuple[Tree, Number]]) -> Tree:
    """A product in which roots of numbers take in what they can: 2**0.5 / 2 is 2**-0.5."""
    out = []
    for part, power in parts:
        if isinstance(part, Leaf) and isinstance(part.base, Factor) and part.base.name.isdigit() and power > 0:
            base = int(part.base.name)
            if coefficient.denominator % base == 0:
                coefficient, power = exact(coefficient * base), exact(power - 1)
        out.append((part, power))
    return product(coefficient, out)


def connected(bound: frozenset[Axis], factors: dict[Base, Number]):
    """The factors that no sum is over, then those of each sum that has nothing to do with the others."""
    yield frozenset(), {b: p for b, p in factors.items() if axes_of(b).isdisjoint(bound)}
    left = {b: p for b, p in factors.items() if not axes_of(b).isdisjoint(bound)}
    while left:
        todo, group, over = [next(iter(left))], {}, set()
        while todo:
            base = todo.pop()
            if base in left:
                group[base] = left.pop(base)
                over |= axes_of(base) & bound
                todo += [b for b in left if axes_of(b) & over]
        yield frozenset(over), group


def _nested(words: Words, over: frozenset[Axis], group: dict[Base, Number]) -> Tree:
    """The sum of a product: one index after the other where some factors do not have them all."""
    parts: list[tuple[Tree, Number]] = [(Leaf(b), p) for b, p in ordered(words, group)]
    return _one_by_one(words, over, parts)


def _one_by_one(words: Words, over: frozenset[Axis], parts: list[tuple[Tree, Number]]) -> Tree:
    """The sum of a product over indices, those first that few of its parts have."""
    options = [summed(tuple(sorted(over)), product(1, parts))]
    having = {axis: [(t, p) for t, p in parts if axis in free(t)] for axis in sorted(over)}
    fewest = sorted(having, key=lambda a: (len(having[a]), a))[:TRIED] if len(over) > 1 else []
    for axis in fewest:
        if len(having[axis]) < len(parts):
            rest = [(t, p) for t, p in parts if axis not in free(t)]
            inner = (Sum((axis,), product(1, having[axis])), 1)
            options.append(_one_by_one(words, over - {axis}, [*rest, inner]))
    return min(options, key=words.cost)


def ordered(words: Words, factors: dict[Base, Number]) -> list[tuple[Base, Number]]:
    """Factors as a person orders them: as the program makes them, gradients and divisors last."""
    place = {name: k for k, name in enumerate(words.graph.definitions)}

    def key(item: tuple[Base, Number]):
        base, power = item
        name = base.name if isinstance(base, Factor) else ""
        gradient = name not in place and not is_size(name)
        return power < 0, gradient, place.get(name, -1), sort_key(base)

    return sorted(factors.items(), key=key)


def summed(over: tuple[Axis, ...], body: Tree) -> Tree:
    """The sum of a tree, with what it does not sum over in front."""
    if not isinstance(body, Mul):
        return Sum(over, body)
    inside = [(part, p) for part, p in body.parts if free(part) & set(over)]
    outside = [(part, p) for part, p in body.parts if not free(part) & set(over)]
    return product(body.coefficient, [*outside, (Sum(over, product(1, inside)), 1)])
