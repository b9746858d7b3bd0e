"""Say sums over indices: as matrix products, sums over axes, cumulative sums, and by einsum where all else fails."""

import contextlib
import itertools
import math
import string
from collections.abc import Iterable, Iterator, Sequence

from handgrad.derive.emit.layout import MATMUL, UNARY, Code, UnsayableError, fit, length
from handgrad.derive.emit.speaker import Order, Speaker, literal
from handgrad.derive.expr import Factor, Number
from handgrad.derive.indices import Axis, plain_order
from handgrad.derive.wording.tree import Leaf, Mul, Sum, Tree, free, leaves, product
from handgrad.derive.wording.words import covered

MOST, FEW = 30, 6
"""Where there are more orders of axes than the first number, those of factors are tried, and so many others."""


def summed(speaker: Speaker, tree: Sum, order: Order) -> Code:
    """The shortest source of a sum."""
    options: list[Code] = []
    for way in (_matmuls, _reductions, _running):
        options += way(speaker, tree, order)
    with contextlib.suppress(UnsayableError):
        options += _einsum(speaker, tree, order)
    if not options:
        raise UnsayableError("no way to say a sum")
    return min(_whole(options, order), key=length)


def _whole(options: list[Code], order: Order) -> list[Code]:
    """Those options that keep an axis of length one where the result has one, if there are any."""
    if all(a.size.number > 1 for a in order):
        return options
    return [o for o in options if len(o.axes) == len(order)] or options


def reduced(speaker: Speaker, tree: Sum, order: Order, how: str) -> Code:
    """The shortest source of a sum, or a mean, over axes."""
    options = list(_reductions(speaker, tree, order, how))
    if not options:
        raise UnsayableError("no way to say a mean")
    return min(_whole(options, order), key=length)


def _reductions(speaker: Speaker, tree: Sum, order: Order, how: str = "sum") -> Iterator[Code]:
    have = free(tree)
    inside = [part for part, _ in tree.body.parts] if isinstance(tree.body, Mul) else [tree.body]
    if not covered(inside) and not any(isinstance(part, Sum) for part in inside) and len(inside) > 1:
        return
    spare = [d for d, a in enumerate(order) if a not in have]
    for places in itertools.permutations(spare, len(tree.over)):
        inner = list(order)
        for d, axis in zip(places, tree.over, strict=True):
            inner[d] = axis
        code = _over(speaker, tree, tuple(inner))
        if code is not None:
            dims = sorted(code.axes.index(a) for a in tree.over)
            axes = tuple(None if a in tree.over else a for a in code.axes)
            yield code.then(f".{how}({dims[0] if len(dims) == 1 else tuple(dims)}, keepdim=True)", axes)
    for inner in _orders(tree, tuple(a for a in order if a in have)):
        code = _over(speaker, tree, inner)
        if code is None:
            continue
        dims = sorted(code.axes.index(a) for a in tree.over)
        whole = "" if len(dims) == len(code.axes) else str(dims[0] if len(dims) == 1 else tuple(dims))
        axes = tuple(a for a in code.axes if a not in tree.over)
        try:
            yield fit(code.then(f".{how}({whole})", axes), order)
        except UnsayableError:
            continue


def _orders(tree: Sum, rest: Order) -> Iterable[Order]:
    """The orders of all axes of the body of a sum that keep the order of the rest; of many those that factors have."""
    merged = _merged(rest, tree.over)
    if math.perm(len(rest) + len(tree.over), len(tree.over)) <= MOST:
        return merged
    layouts = (
        tuple(a for i in base.indices for a in plain_order(i)) for base in leaves(tree) if isinstance(base, Factor)
    )
    every = {*rest, *tree.over}
    own = [layout for layout in layouts if set(layout) == every and [a for a in layout if a in rest] == list(rest)]
    return dict.fromkeys([*own, *itertools.islice(merged, FEW)])


def _merged(rest: Order, over: Order) -> Iterator[Order]:
    """The orders of all axes that keep the order of some."""
    if not rest and not over:
        yield ()
    if rest:
        yield from ((rest[0], *order) for order in _merged(rest[1:], over))
    for k, axis in enumerate(over):
        yield from ((axis, *order) for order in _merged(rest, (*over[:k], *over[k + 1 :])))


def _over(speaker: Speaker, tree: Sum, inner: Order) -> Code | None:
    """The body of a sum with all axes that are summed."""
    try:
        code = speaker.say(tree.body, inner)
    except UnsayableError:
        return None
    return code if all(a in code.axes for a in tree.over) else None


def _matmuls(speaker: Speaker, tree: Sum, order: Order) -> Iterator[Code]:
    if len(tree.over) != 1 or not isinstance(tree.body, Mul):
        return
    (k,) = tree.over
    parts = tree.body.parts
    for sides in itertools.product((0, 1), repeat=len(parts)):
        groups = [tuple(p for p, s in zip(parts, sides, strict=True) if s == side) for side in (0, 1)]
        if not all(groups) or not all(covered([t for t, _ in g]) for g in groups):
            continue
        frees = [frozenset().union(*(free(t) for t, _ in g)) for g in groups]
        if not all(k in f for f in frees):
            continue
        try:
            yield from _matmul(speaker, k, groups, frees, order)
        except UnsayableError:
            continue


def _matmul(speaker: Speaker, k: Axis, groups, frees, order: Order) -> Iterator[Code]:
    batch = (frees[0] & frees[1]) - {k}
    left, right = frees[0] - batch - {k}, frees[1] - batch - {k}
    if not left or len(right) > 1 or (batch and len(left) > 1) or not (left | right | batch) <= set(order):
        return
    if batch and not right:
        return
    lead = tuple(a for a in order if a in batch)
    rows = tuple(a for a in order if a in left)
    columns = tuple(right)
    sides = []
    for group, inner in ((groups[0], (*lead, *rows, k)), (groups[1], (*lead, k, *columns))):
        code = speaker.say(product(1, list(group)), inner)
        if code.axes != inner:
            code = fit(code, inner)
        if code.axes != inner:
            return
        sides.append(speaker.floating(code))
    made = Code(f"{sides[0].at(UNARY)} @ {sides[1].at(UNARY)}", MATMUL, (*lead, *rows, *columns))
    yield fit(made, order)


def _running(speaker: Speaker, tree: Sum, order: Order) -> Iterator[Code]:
    """Sums over what comes earlier along an axis, or later."""
    if len(tree.over) != 1 or not isinstance(tree.body, Mul):
        return
    (axis,) = tree.over
    for part, _ in tree.body.parts:
        if not (isinstance(part, Leaf) and isinstance(part.base, Factor) and part.base.name.startswith("?earlier")):
            continue
        first, last = part.base.indices
        other = last if first == axis else first
        if axis not in (first, last) or not isinstance(other, Axis):
            continue
        rest = product(1, [(t, p) for t, p in tree.body.parts if t != part])
        if other in free(rest) or other not in order:
            continue
        inner = tuple(axis if a == other else a for a in order)
        code = speaker.say(rest, inner)
        if axis not in code.axes:
            continue
        d = code.axes.index(axis)
        axes = tuple(other if a == axis else a for a in code.axes)
        run = f".cumsum({d})" if first == axis else f".flip({d}).cumsum({d}).flip({d})"
        yield code.then(run, axes)


def _einsum(speaker: Speaker, tree: Sum, order: Order) -> Iterator[Code]:
    over, parts = _opened(tree)
    if len(parts) < 2:
        return
    names = letters(speaker, [*order, *over], over)
    subscripts, operands = [], []
    for part, power in parts:
        options = []
        if not free(part) <= names.keys():
            raise UnsayableError("a factor with an index of its own")
        for inner in itertools.permutations(sorted(free(part))):
            try:
                code = speaker.whole(part, inner)
            except UnsayableError:
                continue
            options.append((length(code), inner, code))
        if not options:
            raise UnsayableError("a factor that cannot be said by itself")
        _, inner, code = min(options, key=lambda o: (o[0], [names[a] for a in o[1]]))
        code = speaker.floating(code)
        operands.append(code.text if power == 1 else f"{code.at(4)}**{literal(power)}")
        subscripts.append("".join(names[a] for a in inner))
    axes = tuple(a for a in order if a in free(tree))
    spec = f"{','.join(subscripts)}->{''.join(names[a] for a in axes)}"
    yield fit(Code(f"torch.einsum({spec!r}, {', '.join(operands)})", axes=axes), order)


def _opened(tree: Sum) -> tuple[tuple[Axis, ...], list[tuple[Tree, Number]]]:
    """The indices and factors of a sum, and of the sums that are factors of it."""
    over, parts = tree.over, []
    for part, power in tree.body.parts if isinstance(tree.body, Mul) else ((tree.body, 1),):
        if isinstance(part, Sum) and power == 1:
            more, inside = _opened(part)
            over, parts = (*over, *more), [*parts, *inside]
        else:
            parts.append((part, power))
    return over, parts


def letters(speaker: Speaker, axes: Sequence[Axis], summed: Sequence[Axis]) -> dict[Axis, str]:
    """A letter for each index: the first of the program's own word for its size where it has one."""
    out: dict[Axis, str] = {}
    for axis in dict.fromkeys(axes):
        words = [s.text for s in speaker.graph.sizes.sayings(axis.size) if s.text.isidentifier()]
        options = [w[0].lower() for w in sorted(words, key=len)]
        out[axis] = next((c for c in options if c not in out.values()), "")
    for axis in sorted(out, key=lambda a: a not in summed):
        pool = "btskmpq" if axis in summed else "edfghijk"
        spare = (c for c in pool + string.ascii_lowercase if c not in out.values())
        out[axis] = out[axis] or next(spare)
    return out


__all__ = ["Tree", "letters", "reduced", "summed"]
