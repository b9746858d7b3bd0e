"""One name for each softmax, however it is computed: by a call, or by exponentials over their sum, shifted or not."""

from handgrad.derive.expr import Base, Expr, Factor, Number, axes_of, merged, opened, put_base, term
from handgrad.derive.indices import Axis
from handgrad.derive.lower.graph import Graph
from handgrad.derive.simplify.matching import unify_all
from handgrad.derive.simplify.opening import expand
from handgrad.derive.simplify.steps import rewriting
from handgrad.derive.simplify.sums import NamedSum, named_sums, sums_to_one


@rewriting
def softmaxes(graph: Graph, expr: Expr) -> Expr:
    """The expression with each softmax as a function of what it is of, less what does not change it."""
    out = []
    for product, c in expr:
        bound, factors = opened(product)
        powers = dict(factors)
        for base, power in factors:
            made = _softmax(graph, base, power, powers)
            if made is not None:
                gone, here = made
                powers = merged([*powers.items(), *((b, -p) for b, p in gone.items()), here])
        out.append(term(bound, powers.items(), c))
    return Expr(out)


def _softmax(
    graph: Graph, base: Base, power: Number, powers: dict[Base, Number]
) -> tuple[dict[Base, Number], tuple[Factor, Number]] | None:
    """What of a product a softmax is in place of, and the softmax."""
    if not isinstance(base, Factor) or power < 1 or base not in powers:
        return None
    definition = graph.definitions.get(base.name)
    if definition is None or definition.function != "exp":
        return None
    over = sums_to_one(graph, base.name)
    gone: dict[Base, Number] = {base: power}
    if not over:
        found = _divided(graph, base, power, powers)
        if found is None:
            return None
        over, total = found
        gone[total] = -power
    if len(over) != 1 or over[0] not in definition.axes:
        return None
    d = definition.axes.index(over[0])
    argument = _unshifted(graph, definition.arguments[0], over[0])
    made = graph.apply(f"softmax:{d}", (argument,), definition.axes)
    single = made.expr.single()
    places = unify_all(definition.axes, base.indices, {})
    if single is None or places is None:
        return None
    here = put_base(single, dict(places))
    return (gone, (here, power)) if isinstance(here, Factor) else None


def _divided(
    graph: Graph, base: Factor, power: Number, powers: dict[Base, Number]
) -> tuple[tuple[Axis, ...], Base] | None:
    """The sum of exponentials that one of them is divided by, and what it is over."""
    for known in named_sums(graph):
        if known.outer or known.coefficient != 1 or len(known.inner) != 1 or known.inner[0] != (known.inner[0][0], 1):
            continue
        inner = known.inner[0][0]
        if not isinstance(inner, Factor) or inner.name != base.name:
            continue
        places = unify_all(inner.indices, base.indices, {})
        if places is None:
            continue
        total = put_base(Factor(known.name, known.axes), dict(places))
        if powers.get(total, 0) <= -power:
            own = unify_all(graph.definitions[base.name].axes, inner.indices, {})
            return _named(own, known), total
    return None


def _named(own, known: NamedSum) -> tuple[Axis, ...]:
    """The indices of a definition that a sum is over."""
    return tuple(a for a, place in (own or {}).items() if place in known.bound)


def _unshifted(graph: Graph, argument: Expr, axis: Axis) -> Expr:
    """The argument of a softmax with its names opened, less what is the same along the axis."""
    made = argument
    for _ in range(4):
        single = made.single()
        definition = graph.definitions.get(single.name) if single is not None else None
        if single is not None and definition is not None and definition.expr is not None:
            places = unify_all(definition.axes, single.indices, {})
            made = made if places is None else definition.expr.put(dict(places))
        else:
            made = expand(graph, made, lambda _, d: d.expr is not None and not any(p.bound for p, _ in d.expr), (1,))
        made = Expr((p, c) for p, c in made if any(axis in axes_of(b) for b, _ in p.factors) or p.bound)
    return made
