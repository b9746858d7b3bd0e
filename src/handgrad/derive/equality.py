"""Whether two expressions are one: what is left of their difference, and the factor between them."""

import itertools
from collections.abc import Callable
from dataclasses import replace

from handgrad.derive.expr import ONE, Base, Expr, Factor, Number, ratio, term
from handgrad.derive.indices import Form, Index
from handgrad.derive.lower.graph import Graph, Indexed, UnsupportedError, is_hidden
from handgrad.derive.lower.lowering import Lowering
from handgrad.derive.simplify.normal import normal
from handgrad.derive.simplify.opening import expand
from handgrad.derive.simplify.softmaxes import softmaxes


def merge(graph: Graph, kept: str) -> None:
    """Give hidden names but one that stand for the same one name, as sizes that turned out equal make them."""
    while same := _same(graph, kept):
        for name, d in list(graph.definitions.items()):
            if name in same:
                del graph.definitions[name]
            elif not same.keys().isdisjoint(n for e in d.arguments for n in e.names()):
                graph.definitions[name] = replace(d, arguments=tuple(_renamed(e, same) for e in d.arguments))


def _same(graph: Graph, kept: str) -> dict[str, str]:
    """For each hidden name that stands for what another one does, the first such name."""
    graph.numbered, same = {}, {}
    for name, d in graph.definitions.items():
        if d.arguments and name != kept:
            key = graph.key(Indexed(d.arguments[0], d.axes), d.function, d.arguments, d.over)
            first = graph.numbered.setdefault(key, name)
            if first != name and is_hidden(name):
                same[name] = first
    return same


def _renamed(expr: Expr, names: dict[str, str]) -> Expr:
    def one(base: Base) -> Base:
        return base._replace(name=names.get(base.name, base.name)) if isinstance(base, Factor) else base

    return Expr([term(product.bound, [(one(b), p) for b, p in product.factors], c) for product, c in expr])


def direct(graph: Graph, variable: str) -> set[str]:
    """The names of the program that are made of a variable, without others of its names between."""
    found: set[str] = set()
    todo = [variable]
    while todo:
        here = todo.pop()
        for name, definition in graph.definitions.items():
            if name not in found and any(here in e.names() for e in definition.arguments):
                if not definition.user:
                    todo.append(name)
                found.add(name)
    return {name for name in found if graph.definitions[name].user}


def onto(low: Lowering, made: Indexed, form: Form) -> tuple[Expr, bool]:
    """A value over the indices of a form, as broadcasting has it, and whether it has just the form's shape.

    Raises:
        UnsupportedError: it has axes that the form does not have.
    """
    if len(made.axes) > len(form):
        raise UnsupportedError("the formula has more axes than the variable")
    mapping: dict[Index, Index] = {}
    shaped = len(made.axes) == len(form)
    for own, index in zip(made.axes[::-1], form[::-1], strict=False):
        if own is None:
            shaped &= index is None
        elif index is None:
            raise UnsupportedError("the formula has an axis where the variable has one of length one")
        else:
            low.meet(index, own, mapping, {})
    return made.expr.put(mapping), shaped


def left_of(graph: Graph, expr: Expr) -> Expr:
    """What is left of an expression: nothing where it can be proven to be zero."""
    left = _shorter(graph, normal(graph, expr), softmaxes)
    for which in (lambda _, d: not d.user, lambda *_: True):
        left = _shorter(graph, left, lambda graph, e, which=which: expand(graph, e, which))
    if left:
        cleared = normal(graph, expand(graph, _cleared(graph, left), lambda *_: True, (1, 2, 3, 4)))
        left = cleared if not cleared else left
    return _shorter(graph, left, softmaxes)


def _shorter(graph: Graph, expr: Expr, rewritten: Callable[[Graph, Expr], Expr]) -> Expr:
    """An expression as it is, or rewritten where that has fewer terms."""
    made = normal(graph, rewritten(graph, expr)) if expr else expr
    return made if len(made) < len(expr) else expr


def _cleared(graph: Graph, expr: Expr) -> Expr:
    """An expression times the sums that it is divided by: it is zero where the other is."""
    least: dict[Factor, Number] = {}
    for product, _ in expr:
        for base, power in product.factors:
            definition = graph.definitions.get(base.name) if isinstance(base, Factor) else None
            if not isinstance(base, Factor) or definition is None:
                continue
            if definition.expr is None or len(definition.expr) < 2:
                continue
            if power < 0 and isinstance(power, int) and not set(base.indices) & set(product.bound):
                least[base] = min(least.get(base, 0), power)
    factor = Expr([term((), [(b, -p) for b, p in least.items()])])
    return expr * factor if least else expr


def factor_between(graph: Graph, theirs: Expr, right: Expr) -> Expr | None:
    """What the right expression has to be multiplied by to be another, where that is a single number or size."""
    tried: set[Expr] = set()
    theirs, right = (normal(graph, expand(graph, e, lambda _, d: not d.user)) for e in (theirs, right))
    for (one, k), (other, c) in itertools.product(theirs, right):
        powers = dict(one.factors)
        for base, power in other.factors:
            powers[base] = powers.get(base, 0) - power
        left = {b: p for b, p in powers.items() if p}
        factor = Expr([term((), left.items(), ratio(k, c))])
        if factor in tried or any(not isinstance(b, Factor) or b.indices for b in left):
            continue
        tried.add(factor)
        if not left_of(graph, theirs - right * factor):
            return factor
    return None


def gathered(graph: Graph, expr: Expr) -> tuple[Expr, Expr]:
    """An expression as a product: where its terms differ in numbers and sizes alone, one term and the sum of these."""
    parts: dict[Expr, list] = {}
    for product, c in expr:
        plain = [(b, p) for b, p in product.factors if isinstance(b, Factor) and not b.indices]
        rest = [(b, p) for b, p in product.factors if not (isinstance(b, Factor) and not b.indices)]
        parts.setdefault(Expr([term(product.bound, rest)]), []).append(term((), plain, c))
    if len(parts) > 1 or len(expr) < 2:
        return expr, ONE
    ((whole, scalars),) = parts.items()
    return whole, graph.name(Indexed(Expr(scalars))).expr
