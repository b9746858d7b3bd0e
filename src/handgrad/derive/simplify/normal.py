"""The normal form: products of names that are no products, without deltas and sums that can go."""

from handgrad.derive.expr import ZERO, Expr, Number, Product, axes_of, merged, opened, term
from handgrad.derive.indices import Axis
from handgrad.derive.lower.graph import Graph
from handgrad.derive.simplify.deltas import Factors, contract, masked
from handgrad.derive.simplify.folding import fold
from handgrad.derive.simplify.opening import reduce, reduce_product
from handgrad.derive.simplify.steps import rewriting
from handgrad.derive.simplify.sums import by_definition, to_one, with_name, without_free_sums

DEPTH = 2
"""How often a definition is put into a sum that another was put into."""


@rewriting
def normal(graph: Graph, expr: Expr, depth: int = 0) -> Expr:
    """The normal form of an expression; the reasons of what was done are added to the graph's."""
    key = ("normal", expr, depth)
    if key not in graph.cache:
        before, graph.reasons = graph.reasons, []
        out = ZERO
        for product, c in reduce(graph, expr).opened():
            out = out + _product(graph, product, c, depth)
        graph.cache[key] = fold(graph, out) if len(out) > 1 else out, tuple(graph.reasons)
        graph.reasons = before
    made, reasons = graph.cache[key]
    graph.reasons.extend(reasons)
    return made


def multiplied_out(graph: Graph, expr: Expr) -> Expr:
    """The products of an expression in names that are no products, without deltas, and nothing known put to use."""
    out = []
    for product, c in reduce(graph, expr).opened():
        made = _contracted(graph, product, c)
        if made is not None:
            bound, factors, c = made
            out.append(term(bound, factors.items(), c))
    return Expr(out)


Contracted = tuple[frozenset[Axis], Factors, Number]


def _contracted(graph: Graph, product: Product, coefficient: Number) -> Contracted | None:
    """A product without deltas that can go: its bound indices, its factors, its coefficient; None for zero."""
    bound, factors = frozenset(product.bound), dict(product.factors)
    while True:
        tidied = masked(graph, merged(factors.items()))
        if tidied is None:
            return None
        factors = tidied
        step = contract(graph, bound, factors)
        if step is None:
            return *without_free_sums(graph, bound, factors), coefficient
        bound, left = step
        if left is None:
            return None
        made, coefficient = reduce_product(graph, Product((), tuple(left.items())), coefficient)
        factors = dict(made.factors)


def _product(graph: Graph, product: Product, coefficient: Number, depth: int) -> Expr:
    contracted = _contracted(graph, product, coefficient)
    if contracted is None:
        return ZERO
    bound, factors, coefficient = contracted
    done = with_name(graph, bound, factors, coefficient) or to_one(graph, bound, factors, coefficient)
    if done is None and bound and depth < DEPTH:
        done = by_definition(graph, bound, factors, coefficient, normal, depth)
    if done is None:
        return Expr([term(bound, factors.items(), coefficient)])
    made, reason = done
    graph.reasons.append(reason)
    return normal(graph, made, depth)


__all__ = ["axes_of", "normal", "opened"]
