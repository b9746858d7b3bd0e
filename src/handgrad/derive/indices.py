"""Indices: plain ones, and the places that tables, views, slices and windows make of them."""

import functools
import itertools
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple, overload


class Size(NamedTuple):
    """How many places an axis has, as a symbol: two that are equal by chance have different tags."""

    number: int
    tag: int


class Axis(NamedTuple):
    """A plain index."""

    size: Size
    tag: int


class Gathered(NamedTuple):
    """The place that a tensor of integers names, `Yb[n]`."""

    table: str
    indices: tuple["Index", ...]


class Merged(NamedTuple):
    """Several indices read as one, the last running fastest, as a view has it; each runs over one of the sizes."""

    indices: tuple["Index", ...]
    sizes: tuple[Size, ...]


class Affine(NamedTuple):
    """The sum of an offset and of indices times steps: the place that a slice, a window or a number says.

    `text` is the subscript as the program has it (`1:`, `2 * n:3 * n`, `0`), empty for a window. A `piece` is one of
    several that make up the whole axis, at any size.
    """

    terms: tuple[tuple[int, "Index"], ...]
    offset: int
    text: str
    piece: bool = False


Index = Axis | Gathered | Merged | Affine
Form = tuple[Index | None, ...]


_tags = itertools.count(1)


def fresh(size: Size) -> Axis:
    """An index that nothing else uses."""
    return Axis(size, next(_tags))


def merge(axes: Iterable[Axis]) -> Merged:
    """Plain indices read as one."""
    whole = tuple(axes)
    return Merged(whole, tuple(axis.size for axis in whole))


def symbol(number: int) -> Size:
    """A size that is equal to no other."""
    return Size(number, next(_tags))


def extent(index: Index | None) -> int:
    """How many places a plain or merged index runs over."""
    match index:
        case Axis(size):
            return size.number
        case Merged(_, sizes):
            return math.prod(size.number for size in sizes)
    return 1


@functools.lru_cache(100_000)
def plain_order(index: Index | None) -> tuple[Axis, ...]:
    """The plain indices in an index, in order, each once."""
    match index:
        case None:
            return ()
        case Axis():
            return (index,)
        case Gathered(_, parts) | Merged(parts, _):
            inside = parts
        case Affine(terms):
            inside = tuple(part for _, part in terms)
    return tuple(dict.fromkeys(itertools.chain.from_iterable(map(plain_order, inside))))


@overload
def put_index(index: Index, mapping: Mapping[Index, Index]) -> Index: ...


@overload
def put_index(index: Index | None, mapping: Mapping[Index, Index]) -> Index | None: ...


def put_index(index: Index | None, mapping: Mapping[Index, Index]) -> Index | None:
    """The index with others in place of its parts."""
    if index is None or index in mapping:
        return None if index is None else mapping[index]
    match index:
        case Gathered(table, parts):
            return Gathered(table, tuple(put_index(i, mapping) for i in parts))
        case Merged(parts, sizes):
            return Merged(tuple(put_index(i, mapping) for i in parts), sizes)
        case Affine(terms):
            return index._replace(terms=tuple([(step, put_index(i, mapping)) for step, i in terms]))
    return index
