"""Axes that a view merges: said merged where that can be, else taken apart."""

import itertools
from collections.abc import Iterator, Sequence

from handgrad.derive.derivative import form_of
from handgrad.derive.emit.layout import PRIMARY, Code, UnsayableError, fit, flattened, length
from handgrad.derive.emit.leaves import said_size
from handgrad.derive.emit.speaker import Speaker
from handgrad.derive.expr import Base, Delta, Factor, Number, axes_of, put_base
from handgrad.derive.indices import Affine, Axis, Index, Merged, Size, fresh, plain_order
from handgrad.derive.wording.tree import Add, Flat, Leaf, Mul, Sum, Tree, free, leaves, product

Group = tuple[Axis, ...]
Units = dict[Group, Axis]


def settle_views(speaker: Speaker, tree: Tree, whole: Sequence[Index]) -> tuple[Code, Group]:
    """The shortest source of a tree, each merged index said as one or taken apart, and the axes of the whole.

    The code has an axis of its own for each merged index of the whole.
    """
    groups = list(dict.fromkeys(_groups(tree, whole)))
    units = {group: fresh(_product(speaker, group)) for group in groups}
    final: Group = ()
    for index in whole:
        final += (units[_group(index)],) if isinstance(index, Merged) else plain_order(index)
    options: list[Code] = []
    for chosen in _subsets(groups):
        try:
            options += _merged(speaker, tree, whole, {g: units[g] for g in chosen}, units, final)
        except UnsayableError:
            continue
    if not options:
        raise UnsayableError("no way to say it")
    return min(options, key=length), final


def _groups(tree: Tree, whole: Sequence[Index]) -> Iterator[Group]:
    for index in [*whole, *(i for b in leaves(tree) for i in (b.indices if isinstance(b, Factor) else b))]:
        for inner in (index, *(i for _, i in index.terms)) if isinstance(index, Affine) else (index,):
            if isinstance(inner, Merged) and len(group := _group(inner)) == len(inner.indices):
                yield group


def _group(index: Merged) -> Group:
    return tuple(i for i in index.indices if isinstance(i, Axis))


def _subsets(groups: list[Group]) -> Iterator[tuple[Group, ...]]:
    """Which groups to say as one axis, those that do not overlap, most first."""
    for k in range(min(len(groups), 4), -1, -1):
        for chosen in itertools.combinations(groups, k):
            axes = [a for g in chosen for a in g]
            if len(set(axes)) == len(axes):
                yield chosen


def _merged(
    speaker: Speaker, tree: Tree, whole: Sequence[Index], chosen: Units, units: Units, final: Group
) -> Iterator[Code]:
    made = tree
    for group, axis in chosen.items():
        made = as_one(made, group, axis)
    order: Group = ()
    for index in whole:
        group = _group(index) if isinstance(index, Merged) else ()
        order += (units[group],) if group in chosen else plain_order(index)
    lacking = [i.indices for i in whole if isinstance(i, Merged) and not set(i.indices) <= free(tree)]
    for group in lacking:
        order = tuple(a for a in order if a not in group or a in free(tree))
    orders = [order]
    for group, axis in chosen.items():
        if set(group) <= set(order):
            orders = [o for old in orders for o in _placed(old, group, axis)]
    for inner in dict.fromkeys(orders):
        try:
            code = speaker.say(made, inner)
            for group, axis in chosen.items():
                if axis in code.axes and axis not in order:
                    code = _apart(speaker, code, group, axis, order)
            code = fit(code, order)
            if len(chosen) < len(units) and _shaped_as_variable(speaker, code, whole):
                how = "view" if "@" in code.text else "reshape"
                yield code.then(f".{how}({speaker.near[0]}.shape)", final)
                if speaker.graph.program.library == "numpy":
                    continue
            for index in whole:
                if isinstance(index, Merged) and (group := _group(index)) not in chosen:
                    code = _closed(speaker, code, group, units[group])
            yield code
        except UnsayableError:
            continue


def _shaped_as_variable(speaker: Speaker, code: Code, whole: Sequence[Index]) -> bool:
    """Whether a source has all axes of a gradient, those of views one by one."""
    if not speaker.near or speaker.near[0] not in speaker.graph.definitions:
        return False
    wide = [i for i in whole if not (isinstance(i, Axis) and i.size.number == 1)]
    form = [i for i in form_of(speaker.graph, speaker.near[0]) if i is not None]
    return wide == form and list(code.axes) == [a for i in wide for a in plain_order(i)]


def _closed(speaker: Speaker, code: Code, group: Group, axis: Axis) -> Code:
    """The source with the axes of a group as one; none of them where it has none."""
    have = [a for a in group if a in code.axes]
    if not have:
        return code
    if len(have) < len(group):
        return _repeated(speaker, code, group, have, axis)
    return flattened(code, group, axis)


def _repeated(speaker: Speaker, code: Code, group: Group, have: Sequence[Axis], axis: Axis) -> Code:
    """The source with an axis for a group of which it has only the first ones, or the last: each element repeated."""
    start = code.axes.index(have[0])
    if tuple(code.axes[start : start + len(have)]) != tuple(have):
        raise UnsayableError("axes that are not next to each other")
    count = " * ".join(said_size(speaker, a) for a in group if a not in have)
    if len(have) > 1:
        code = flattened(code, have, axis)
    axes = tuple(axis if a == have[0] else a for a in code.axes)
    if tuple(group[: len(have)]) == tuple(have):
        return code.then(f".repeat_interleave({count}, {start})", axes)
    if tuple(group[-len(have) :]) == tuple(have):
        counts = ["1"] * len(code.axes)
        counts[start] = count
        return code.then(f".repeat({', '.join(counts)})", axes)
    raise UnsayableError("a view of what is the same along an axis in the middle")


def _product(speaker: Speaker, group: Group) -> Size:
    """A size for several axes together: that of an axis which is split into them, if there is one."""
    number = 1
    for axis in group:
        number *= axis.size.number
    made = Size(number, -sum(a.size.tag * 7**k for k, a in enumerate(group, 1)))
    sizes = speaker.graph.sizes
    if not sizes.sayings(made):
        for text in [" * ".join(said_size(speaker, a) for a in group)]:
            sizes.say(made, text)
    return made


def _placed(order: Group, group: Group, axis: Axis) -> Iterator[Group]:
    """An order with one axis in place of several: where the first of them is, or the last."""
    for anchor in (group[0], group[-1]):
        out = [axis if a == anchor else a for a in order if a == anchor or a not in group]
        yield tuple(out)


def _apart(speaker: Speaker, code: Code, group: Group, axis: Axis, order: Group) -> Code:
    """The source with one axis taken apart into several."""
    d = code.axes.index(axis)
    axes = (*code.axes[:d], *group, *code.axes[d + 1 :])
    if axes == order and speaker.near and _same_shape(speaker, speaker.near[0], order):
        how = "view" if "@" in code.text else "reshape"
        return code.then(f".{how}({speaker.near[0]}.shape)", axes)
    sizes = ["1" if a is None else said_size(speaker, a) for a in axes]
    how = "view" if "@" in code.text or code.text.isidentifier() else "reshape"
    return code.then(f".{how}({', '.join(sizes)})", axes)


def _same_shape(speaker: Speaker, name: str, order: Group) -> bool:
    definition = speaker.graph.definitions.get(name)
    if definition is None:
        return False
    axes = [i for i in definition.axes if isinstance(i, Axis)]
    return len(axes) == len(definition.axes) and [a.size for a in axes] == [a.size for a in order]


def as_one(tree: Tree, group: Group, axis: Axis) -> Tree:
    """The tree with several indices read as one.

    Raises:
        UnsayableError: they are not together everywhere.
    """
    inside = set(group)
    match tree:
        case Leaf(base):
            return _leaf(base, group, axis)
        case Mul(coefficient, parts):
            return Mul(coefficient, tuple(_parts(parts, group, axis)))
        case Add(parts):
            return Add(tuple(as_one(part, group, axis) for part in parts))
        case Sum(over, body):
            bound = inside & set(over)
            if bound == inside:
                rest = tuple(a for a in over if a not in inside)
                return Sum((*rest, axis), as_one(body, group, axis))
            if bound or not inside.isdisjoint(over):
                raise UnsayableError("a sum over a part of a view")
            return Sum(over, as_one(body, group, axis))
        case Flat(body, other, one):
            return Flat(as_one(body, group, axis), other, one)
    return tree


def _parts(parts: Sequence[tuple[Tree, Number]], group: Group, axis: Axis) -> Iterator[tuple[Tree, Number]]:
    """The parts of a product with several indices read as one; those that have only some of them together."""
    partial: list[tuple[Tree, Number]] = []
    for part, power in parts:
        try:
            yield as_one(part, group, axis), power
        except UnsayableError:
            partial.append((part, power))
    if partial:
        together = product(1, partial)
        if not set(group) <= free(together) or axis in free(together):
            raise UnsayableError("a part of a view by itself")
        yield Flat(together, group, axis), 1


def _leaf(base: Base, group: Group, axis: Axis) -> Tree:
    whole = Merged(group, tuple(a.size for a in group))
    put = put_base(base, {whole: axis})
    if axes_of(put).isdisjoint(group):
        return Leaf(put)
    if not set(group) <= axes_of(put) or isinstance(base, Delta):
        raise UnsayableError("a part of a view by itself")
    if not set(group) <= set(base.indices) or axis in axes_of(put):
        raise UnsayableError("a part of a view in a subscript")
    return Flat(Leaf(base), group, axis)


__all__ = ["PRIMARY", "Size", "as_one", "free", "settle_views"]
