"""Ways to say an expression, as trees: what is multiplied, added and summed, and in which order."""

import functools
from collections.abc import Iterator
from typing import NamedTuple

from handgrad.derive.expr import Base, Number, axes_of, put_base
from handgrad.derive.indices import Axis, Index


class Num(NamedTuple):
    """A number."""

    value: Number


class Leaf(NamedTuple):
    """An element of a named tensor, or a delta."""

    base: Base


class Mul(NamedTuple):
    """A product of parts with powers, times a number."""

    coefficient: Number
    parts: tuple[tuple["Tree", Number], ...]


class Add(NamedTuple):
    """A sum of parts."""

    parts: tuple["Tree", ...]


class Sum(NamedTuple):
    """The sum of a tree over indices."""

    over: tuple[Axis, ...]
    body: "Tree"


class Flat(NamedTuple):
    """A tree with several of its indices, next to each other, read as one."""

    body: "Tree"
    group: tuple[Axis, ...]
    axis: Axis


Tree = Num | Leaf | Mul | Add | Sum | Flat


@functools.lru_cache(100_000)
def free(tree: Tree) -> frozenset[Axis]:
    """The indices of a tree that it does not sum over."""
    match tree:
        case Num():
            return frozenset()
        case Leaf(base):
            return axes_of(base)
        case Mul(_, parts):
            return frozenset().union(*(free(part) for part, _ in parts))
        case Add(parts):
            return frozenset().union(*map(free, parts))
        case Sum(over, body):
            return free(body) - frozenset(over)
        case Flat(body, group, axis):
            return free(body) - frozenset(group) | {axis}


def leaves(tree: Tree) -> Iterator[Base]:
    """All leaves of a tree, from left to right."""
    match tree:
        case Leaf(base):
            yield base
        case Mul(_, parts):
            for part, _ in parts:
                yield from leaves(part)
        case Add(parts):
            for part in parts:
                yield from leaves(part)
        case Sum(_, body) | Flat(body):
            yield from leaves(body)


def put_tree(tree: Tree, mapping: dict[Index, Index]) -> Tree:
    """The tree with other indices."""
    match tree:
        case Leaf(base):
            return Leaf(put_base(base, mapping))
        case Mul(coefficient, parts):
            return Mul(coefficient, tuple((put_tree(part, mapping), power) for part, power in parts))
        case Add(parts):
            return Add(tuple(put_tree(part, mapping) for part in parts))
        case Sum(over, body):
            return Sum(over, put_tree(body, mapping))
        case Flat(body, group, axis):
            return Flat(put_tree(body, mapping), group, axis)
    return tree


def times(coefficient: Number, *trees: Tree) -> Tree:
    """A number times trees, as one product."""
    parts: list[tuple[Tree, Number]] = []
    for tree in trees:
        match tree:
            case Num(value):
                coefficient = coefficient * value
            case Mul(inner, inside):
                coefficient = coefficient * inner
                parts += inside
            case _:
                parts.append((tree, 1))
    return product(coefficient, parts)


def product(coefficient: Number, parts: list[tuple[Tree, Number]]) -> Tree:
    """A product in the simplest form that it has."""
    if not parts or not coefficient:
        return Num(coefficient)
    if len(parts) == 1 and coefficient == 1 and parts[0][1] == 1:
        return parts[0][0]
    return Mul(coefficient, tuple(parts))


def negative(tree: Tree) -> bool:
    """Whether a tree begins with a minus."""
    match tree:
        case Num(value) | Mul(value):
            return value < 0
    return False
