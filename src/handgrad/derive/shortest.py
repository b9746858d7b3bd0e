"""All gradients of a program in as few words as possible."""

import re
from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

from handgrad.derive.apart import Apart, settled, undone_apart, with_parts
from handgrad.derive.backward import Backward, GradientLine
from handgrad.derive.derivative import Gradients, form_of, send
from handgrad.derive.emit import helpers
from handgrad.derive.emit.layout import UnsayableError
from handgrad.derive.emit.torch import assign
from handgrad.derive.expr import ONE, Expr, Factor, Product, opened, term
from handgrad.derive.indices import Form, Index, Merged
from handgrad.derive.lower import lower
from handgrad.derive.lower.graph import Definition, Graph, is_hidden
from handgrad.derive.read.program import Line, Program
from handgrad.derive.read.steps import names_used
from handgrad.derive.simplify.normal import normal
from handgrad.derive.sweep import cost, gradient_name, missing, shortened, upstream
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

    A gradient that is used more than once, or makes the others shorter, has a line of its own; a forward line that has
    no index notation is undone as it stands.
    """
    others: set[str] = set()
    while True:
        try:
            return _shortest(program, others)
        except WithoutSourceError as found:
            more = set(found.makers) - others
            if not more:
                raise DeriveError(f"there is no short source for all gradients: {found}") from None
            others |= more


class WithoutSourceError(UnsayableError):
    """A gradient has no source: the lines that make `makers` have to be undone apart."""

    def __init__(self, reason: UnsayableError, makers: Iterable[str]):
        """Note which lines are in the way."""
        super().__init__(str(reason))
        self.makers = tuple(makers)


def _shortest(program: Program, others: Container[str]) -> Backward:
    graph = lower(program)
    words = Words(graph)
    output = program.output
    if output not in graph.definitions or graph.definitions[output].function == "constant":
        raise missing(graph, output)
    apart = undone_apart(graph, output, program.inputs, others)
    order, known = equations(graph, output, apart=apart)
    wanted = {n for n in order if n in apart or graph.definitions[n].function == "input"}
    kept = eliminate(words, list(order), dict(known), wanted)
    lines = said(words, [name for name in order if name in kept], kept)
    if apart:
        lines = settled(graph, with_parts(graph, output, lines, apart), apart, known)
    start = gradient_name(graph, output) if graph.definitions[output].axes else None
    return Backward(tuple(lines), {n: gradient_name(graph, n) for n in kept}, start)


def said(words: Words, order: list[str], known: Mapping[str, Expr]) -> list[GradientLine]:
    """The source of each gradient, after the lines that make what it uses of the insides of calls."""
    graph = words.graph
    program = graph.program
    try:
        before = helpers.lines(words, helpers.choose(words, [known[name] for name in order]))
    except UnsayableError as reason:
        line = None if reason.line is None else program.lines[reason.line]
        raise WithoutSourceError(reason, line.targets if isinstance(line, Line) else ()) from None
    lines = []
    for name in order:
        target = gradient_name(graph, name)
        try:
            made = assign(words, target, graph.words.get(name, name), form_of(graph, name), known[name])
            word = graph.words.get(name)
            if word and name not in before and re.search(rf"\b{word}\b", "\n".join(made)):
                more = {**before, **helpers.lines(words, [name])}
                before = {n: more[n] for n in graph.definitions if n in more}
                made = assign(words, target, word, form_of(graph, name), known[name])
        except UnsayableError as reason:
            makers = (target for target, line in program.makers() if name in names_used([line]))
            raise WithoutSourceError(reason, makers) from None
        lines.append(GradientLine(target, "\n".join(made)))
    if lines and before:
        first = lines[0]
        lines[0] = GradientLine(first.gradient, "\n".join([*before.values(), first.source]))
    return lines


def equations(
    graph: Graph, end: str, variables: Container[str] | None = None, apart: Mapping[str, Apart] | None = None
) -> Equations:
    """The gradient of each variable in terms of those of the variables made of it.

    The variables are the program's own names where they are left out, and the hidden ones that are worth a name. What
    is undone `apart` sends back parts that have names.
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
        undone = apart.get(name) if apart else None
        for other, gradient in undone.sent(graph).items() if undone else ():
            total[other] = total.get(other, Expr()) + gradient
        if undone or definition.given:
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
            most = _cost(words, {name: known[name], **users}) + 1.0 * is_hidden(name)
            made = _within(words, users, name, known[name], most)
            if made is not None:
                del known[name]
                known.update(made)
                changed = True
    return known


def _within(words: Words, users: Mapping[str, Expr], name: str, value: Expr, most: float) -> dict[str, Expr] | None:
    """The gradients of some variables with what another is in its place; None where they cost as much as is given."""
    made = {}
    for variable in sorted(users, key=lambda x: len(users[x])):
        made[variable] = _without(words, variable, users[variable], name, value)
        if _cost(words, made) >= most:
            return None
    return made


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
