"""Find the factors of a definition among those of a product, whatever its indices are called there."""

from collections.abc import Iterator, Mapping, Sequence

from handgrad.derive.expr import Base, Factor, Number
from handgrad.derive.indices import Affine, Axis, Gathered, Index, Merged, extent

Places = Mapping[Index, Index]


def unify(pattern: Index | None, found: Index | None, places: Places) -> Places | None:
    """Extend what a definition's indices stand for so that one of them is the index found; None if it cannot be."""
    if pattern is None or found is None:
        return places if pattern is found else None
    if isinstance(pattern, Axis):
        if pattern in places:
            return places if places[pattern] == found else None
        if isinstance(found, Axis | Merged) and extent(found) != pattern.size.number:
            return None
        return {**places, pattern: found}
    if (isinstance(pattern, Gathered) and isinstance(found, Gathered) and pattern.table == found.table) or (
        isinstance(pattern, Merged) and isinstance(found, Merged) and pattern.sizes == found.sizes
    ):
        pairs = zip(pattern.indices, found.indices, strict=True)
    elif isinstance(pattern, Affine) and isinstance(found, Affine) and _alike(pattern, found):
        pairs = zip((i for _, i in pattern.terms), (i for _, i in found.terms), strict=True)
    else:
        return None
    known: Places | None = places
    for p, f in pairs:
        known = None if known is None else unify(p, f, known)
    return known


def _alike(one: Affine, other: Affine) -> bool:
    steps = [[step for step, _ in a.terms] for a in (one, other)]
    return steps[0] == steps[1] and one.offset == other.offset and one.text == other.text


def unify_all(pattern: Sequence[Index | None], found: Sequence[Index | None], places: Places) -> Places | None:
    """The same for several indices."""
    known: Places | None = places
    for p, f in zip(pattern, found, strict=True):
        known = None if known is None else unify(p, f, known)
    return known


def unify_base(pattern: Base, found: Base, places: Places) -> Places | None:
    """The same for a factor; a delta is matched by none."""
    if not (isinstance(pattern, Factor) and isinstance(found, Factor)) or pattern.name != found.name:
        return None
    if len(pattern.indices) != len(found.indices):
        return None
    return unify_all(pattern.indices, found.indices, places)


def matches(
    pattern: Sequence[tuple[Base, Number]],
    factors: Mapping[Base, Number],
    places: Places,
    used: tuple[Base, ...] = (),
    *,
    any_power: bool = False,
) -> Iterator[tuple[Places, tuple[Base, ...]]]:
    """All ways to find the factors of a pattern, with their powers, among those of a product."""
    if not pattern:
        yield places, used
        return
    (base, power), *rest = pattern
    for found, have in factors.items():
        if found in used or not (any_power or have == power):
            continue
        known = unify_base(base, found, places)
        if known is not None:
            yield from matches(rest, factors, known, (*used, found), any_power=any_power)
