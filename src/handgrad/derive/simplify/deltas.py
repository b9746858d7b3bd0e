"""Contract deltas, and what is known of masks."""

from handgrad.derive.expr import Base, Delta, Expr, Factor, Number, axes_of, exact, merged, put_base, term
from handgrad.derive.indices import Affine, Axis, Gathered, Index, Merged, plain_order
from handgrad.derive.lower.graph import Graph
from handgrad.derive.simplify.matching import unify_all
from handgrad.derive.simplify.reasons import Reason

Factors = dict[Base, Number]


def contract(graph: Graph, bound: frozenset[Axis], factors: Factors) -> tuple[frozenset[Axis], Factors | None] | None:
    """One delta less in a product, and maybe one bound index; None where no delta can go. No factors for zero."""
    for base in factors:
        if not isinstance(base, Delta):
            continue
        rest = {b: p for b, p in factors.items() if b != base}
        if _never(base):
            return bound, None
        parts = _parts(graph, base)
        if parts is not None:
            return bound, merged([*rest.items(), *((d, 1) for d in parts)])
        for i, j in ((base.left, base.right), (base.right, base.left)):
            if isinstance(i, Axis) and i in bound and i not in plain_order(j):
                return bound - {i}, _put(rest, i, j)
        for i, j in ((base.left, base.right), (base.right, base.left)):
            inner = _undone(graph, bound, i, j)
            if inner is not None:
                return bound - {inner[0]}, _put(rest, *inner)
        for i, j in ((base.left, base.right), (base.right, base.left)):
            if _picks(i, j) and any(i in axes_of(b) for b in rest) and not _in_delta(i, rest):
                return bound, merged([(base, 1), *_put(rest, i, j).items()])
    return None


def _picks(i: Index, j: Index) -> bool:
    """Whether one index can stand for a place that another names, wherever the delta between them is."""
    if not isinstance(i, Axis):
        return False
    return isinstance(j, Gathered | Affine) or (isinstance(j, Axis) and j.tag < i.tag)


def _in_delta(index: Index, factors: Factors) -> bool:
    return any(isinstance(b, Delta) and index in axes_of(b) for b in factors)


def _put(factors: Factors, index: Index, other: Index) -> Factors:
    return merged((put_base(b, {index: other}), p) for b, p in factors.items())


def _parts(graph: Graph, base: Delta) -> list[Delta] | None:
    """The deltas that together say the same, none where the two are one index; None where there are no such."""
    i, j = base
    if i == j:
        return []
    if isinstance(i, Merged) and isinstance(j, Merged) and i.sizes == j.sizes:
        return [Delta(a, b) for a, b in zip(i.indices, j.indices, strict=True)]
    if isinstance(i, Affine) and isinstance(j, Affine) and _same_slice(i, j):
        return [Delta(i.terms[0][1], j.terms[0][1])]
    if isinstance(i, Gathered) and isinstance(j, Gathered) and i.table == j.table and graph.tables[i.table].inverse:
        return [Delta(a, b) for a, b in zip(i.indices, j.indices, strict=True)]
    return None


def _same_slice(one: Affine, other: Affine) -> bool:
    """Whether two places are of one slice."""
    if (one.offset, one.text) != (other.offset, other.text) or not len(one.terms) == len(other.terms) == 1:
        return False
    return one.terms[0][0] == other.terms[0][0]


def _never(base: Delta) -> bool:
    """Whether the indices are slices that never meet: pieces of one tensor, or of plain numbers."""
    if not (isinstance(base.left, Affine) and isinstance(base.right, Affine)):
        return False
    spans = []
    for index in (base.left, base.right):
        fixed = index.piece or index.text.replace(":", "").isdigit()
        if len(index.terms) > 1 or not fixed or any(s != 1 for s, _ in index.terms):
            return False
        length = index.terms[0][1].size.number if index.terms and isinstance(index.terms[0][1], Axis) else 1
        spans.append((index.offset, index.offset + length))
    (a, b), (c, d) = spans
    return b <= c or d <= a


def _undone(graph: Graph, bound: frozenset[Axis], i: Index, j: Index) -> tuple[Axis, Index] | None:
    """A bound index inside a table that can be undone, and what it is then."""
    if isinstance(j, Gathered) and graph.tables[j.table].inverse and len(j.indices) == 1:
        (inner,) = j.indices
        if isinstance(inner, Axis) and inner in bound and inner not in plain_order(i):
            return inner, Gathered(graph.tables[j.table].inverse, (i,))
    return None


def tidy_index(graph: Graph, index: Index | None) -> Index | None:
    """An index without tables that undo each other."""
    if isinstance(index, Gathered) and len(index.indices) == 1:
        (inner,) = index.indices
        if isinstance(inner, Gathered) and graph.tables[index.table].inverse == inner.table:
            return inner.indices[0]
    return index


def masked(graph: Graph, factors: Factors) -> Factors | None:
    """What masks come to: a mask is its own square, and nothing is left of it times its complement.

    None is zero. A softmax of what is -inf outside of a mask needs the mask no more.
    """
    out: Factors = {}
    for base, power in factors.items():
        if isinstance(base, Delta):
            out[base] = exact(out.get(base, 0) + power)
            continue
        base = Factor(base.name, tuple(tidy_index(graph, i) for i in base.indices))
        is_mask = base.name in graph.masks and power > 0
        if is_mask and power != 1:
            graph.reasons.append(
                Reason("own square", base.name, Expr([term((), [(base, power)])]), Expr([term((), [(base, 1)])]))
            )
        out[base] = 1 if is_mask else exact(out.get(base, 0) + power)
    masks = [b for b in out if isinstance(b, Factor) and b.name in graph.masks and out[b] > 0]
    for mask in masks:
        if any(b.name == graph.masks[mask.name] and b.indices == mask.indices for b in masks):
            return None
        for base in list(out):
            zero = isinstance(base, Factor) and base != mask and zero_outside(graph, base)
            if not zero or mask not in out:
                continue
            if zero == mask:
                del out[mask]
                both = Expr([term((), [(base, 1), (mask, 1)])])
                graph.reasons.append(Reason("zero outside", base.name, both, Expr([term((), [(base, 1)])])))
            elif zero.indices == mask.indices and zero.name == graph.masks[mask.name]:
                return None
    return {b: p for b, p in out.items() if p}


def zero_outside(graph: Graph, base: Factor) -> Factor | None:
    """The mask outside of which an exponential is zero: its argument is -inf there."""
    definition = graph.definitions.get(base.name)
    if definition is None or definition.function != "exp":
        return None
    for source in _reaching(graph, definition.arguments[0]):
        if source.name in graph.filled:
            inner = graph.definitions[source.name]
            mask = inner.arguments[1].single()
            first = unify_all(inner.axes, source.indices, {})
            second = unify_all(definition.axes, base.indices, {})
            if mask is not None and first is not None and second is not None:
                put = put_base(put_base(mask, dict(first)), dict(second))
                return put if isinstance(put, Factor) else None
    return None


def _reaching(graph: Graph, expr) -> list[Factor]:
    """The factors that are terms of an exponent by themselves, also under names of its own."""
    found = []
    for product, c in expr:
        if c == 1 and not product.bound and len(product.factors) == 1:
            ((base, power),) = product.factors
            if power == 1 and isinstance(base, Factor):
                found.append(base)
                definition = graph.definitions.get(base.name)
                if definition is not None and definition.expr is not None:
                    places = unify_all(definition.axes, base.indices, {})
                    if places is not None:
                        found += _reaching(graph, definition.expr.put(places))
    return found
