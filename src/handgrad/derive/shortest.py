"""All gradients of a program in as few words as possible."""

from collections.abc import Container, Mapping
from typing import NamedTuple

from handgrad.derive.backward import Backward, GradientLine
from handgrad.derive.derivative import Gradients, form_of, send
from handgrad.derive.emit import helpers
from handgrad.derive.emit.layout import UnsayableError
from handgrad.derive.emit.torch import assign
from handgrad.derive.expr import ONE, Expr, Factor, Product, opened, term
from handgrad.derive.indices import Form, Index, Merged
from handgrad.derive.lower import lower
from handgrad.derive.lower.graph import Definition, Graph, is_hidden
from handgrad.derive.read.program import Program
from handgrad.derive.simplify.normal import normal
from handgrad.derive.sweep import cost, gradient_name, missing, reaches, shortened, upstream
from handgrad.derive.wording.words import Words
from handgrad.errors import DeriveError

LONG = 6
"""A gradient is kept where the others would come to more terms than this without it, each."""
LINE = 2.0
"""What a line of its own costs, in tokens."""


class Equations(NamedTuple):
    """Gradients in terms of each other, from the end to the beginning."""

    order: tuple[str, ...]
    of: Mapping[str, Expr]


def shortest(program: Program) -> Backward:
    """The gradients of all inputs from that of the output, in the fewest words found.

    A gradient that is used more than once, or makes the others shorter, has a line of its own.
    """
    graph = lower(program)
    words = Words(graph)
    output = program.output
    if output not in graph.definitions or graph.definitions[output].function == "constant":
        raise missing(graph, output)
    order, known = equations(graph, output)
    for name in (output, *order):
        if name in graph.errors and any(reaches(graph, x, name) for x in program.inputs):
            raise graph.errors[name]
    kept = eliminate(words, list(order), dict(known), {n for n in order if graph.definitions[n].function == "input"})
    try:
        lines = said(words, [name for name in order if name in kept], kept)
    except UnsayableError as reason:
        raise DeriveError(f"there is no short source for all gradients: {reason}") from None
    start = gradient_name(graph, output) if graph.definitions[output].axes else None
    return Backward(tuple(lines), {n: gradient_name(graph, n) for n in kept}, start)


def said(words: Words, order: list[str], known: Mapping[str, Expr]) -> list[GradientLine]:
    """The source of each gradient, after the lines that make what it uses of the insides of calls."""
    graph = words.graph
    before = helpers.lines(words, helpers.choose(words, [known[name] for name in order]))
    left = list(before)
    lines = []
    for name in order:
        target = gradient_name(graph, name)
        made = assign(words, target, graph.words.get(name, name), form_of(graph, name), known[name])
        if not lines:
            made = [*(before[n] for n in left), *made]
        lines.append(GradientLine(target, "\n".join(made)))
    return lines


def equations(graph: Graph, end: str, variables: Container[str] | None = None) -> Equations:
    """The gradient of each variable in terms of those of the variables made of it.

    The variables are the program's own names where they are left out, and the hidden ones that are worth a name.
    """
    names = [n for n, d in graph.definitions.items() if d.function != "constant"]
    if variables is None:
        variables = {n for n in names if graph.definitions[n].user} | inner(graph)
    total: Gradients = {end: Expr()}
    order: list[str] = []
    for name in reversed(names):
        if name not in total or name not in variables:
            continue
        order.append(name)
        definition = graph.definitions[name]
        if definition.given:
            continue
        own = ONE if name == end and not form_of(graph, name) else upstream(graph, name)
        local: Gradients = {}
        send(graph, name, own, local)
        for hidden in reversed(list(graph.definitions)):
            if hidden in local and hidden not in variables:
                send(graph, hidden, normal(graph, local.pop(hidden)), local)
        for other, gradient in local.items():
            total[other] = total.get(other, Expr()) + gradient
    total.pop(end)
    order.remove(end)
    return Equations(tuple(order), {n: normal(graph, total[n]) for n in order})


def inner(graph: Graph) -> set[str]:
    """Hidden names whose gradients are worth a line: what a named function is of, where that is a sum."""
    found: dict[str, str] = {}
    for name, d in graph.definitions.items():
        if not d.user or len(d.arguments) != 1 or len(d.arguments[0]) != 1:
            continue
        ((product, _),) = d.arguments[0]
        inside = [b.name for b, _ in product.factors if isinstance(b, Factor) and is_hidden(b.name)]
        masks = [b for b, _ in product.factors if isinstance(b, Factor) and b.name in graph.masks]
        alone = len(inside) == 1 and len(product.factors) == 1 + len(masks) and (d.function or masks)
        expr = graph.definitions[inside[0]].expr if alone else None
        if expr is not None and len(expr) > 1:
            found.setdefault(inside[0], name)
    for hidden, name in found.items():
        graph.gradients.setdefault(hidden, f"d{name}_pre")
    graph.gradients |= {hidden: f"d{word}" for hidden, word in graph.words.items()}
    return {*found, *graph.words}


def eliminate(words: Words, order: list[str], known: dict[str, Expr], wanted: Container[str]) -> dict[str, Expr]:
    """Do without each gradient, but for the wanted ones, that the others say more shortly without."""
    graph = words.graph
    known = {name: shortened(words, form_of(graph, name), e) for name, e in known.items()}
    changed = True
    while changed:
        changed = False
        for name in order:
            if name not in known or name in wanted:
                continue
            said = gradient_name(graph, name)
            users = {x: e for x, e in known.items() if said in e.names()}
            if sum(_terms(e, said, known[name]) for e in users.values()) > LONG * max(1, len(users)):
                continue
            made = {x: _without(words, x, e, name, known[name]) for x, e in users.items()}
            if _cost(words, made) < _cost(words, {name: known[name], **users}) + 1.0 * is_hidden(name):
                del known[name]
                known.update(made)
                changed = True
    return known


def _terms(expr: Expr, said: str, value: Expr) -> int:
    """How many terms an expression has with another in place of a name."""
    return sum(len(value) if any(_is(b, said) for b, _ in p.factors) else 1 for p in expr.terms)


def _without(words: Words, variable: str, expr: Expr, name: str, value: Expr) -> Expr:
    """The gradient of a variable with what another is in its place."""
    graph = words.graph
    put = insert(expr, gradient_name(graph, name), value, form_of(graph, name))
    return shortened(words, form_of(graph, variable), normal(graph, put))


def _cost(words: Words, known: Mapping[str, Expr]) -> float:
    return sum(cost(words, form_of(words.graph, name), e) + LINE for name, e in known.items())


def insert(expr: Expr, name: str, value: Expr, form: Form) -> Expr:
    """The expression with another in place of a name; `form` are the indices of that."""
    out = Expr()
    for product, c in expr:
        bound, factors = opened(product)
        total = Expr([term((), [(b, p) for b, p in factors if not _is(b, name)], c)])
        for base, power in factors:
            if isinstance(base, Factor) and base.name == name:
                if power != 1:
                    raise ValueError(f"{name} to the power of {power}")
                total = total * value.put(places(form, base.indices))
        out = out + total.sum(bound)
    return out


def _is(base, name: str) -> bool:
    return isinstance(base, Factor) and base.name == name


def places(form: Form, indices: Form) -> dict[Index, Index]:
    """Which index stands where a form has one of its own."""
    found: dict[Index, Index] = {}
    for own, index in zip(form, indices, strict=True):
        if isinstance(own, Merged) and isinstance(index, Merged):
            found.update(zip(own.indices, index.indices, strict=True))
        elif own is not None and index is not None:
            if isinstance(own, Merged):
                raise DeriveError("an axis that one line takes apart and another does not has no index notation here")
            found[own] = index
    return found


__all__ = ["Definition", "Product", "equations", "shortest"]
