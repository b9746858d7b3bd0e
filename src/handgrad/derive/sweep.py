"""Gradients in index notation, from the end of a program back to its beginning."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from handgrad.derive.derivative import Gradients, form_of, send
from handgrad.derive.emit.scatter import scatters
from handgrad.derive.expr import ONE, Expr, Factor, element
from handgrad.derive.indices import Form
from handgrad.derive.lower.graph import Definition, Graph, Indexed, is_hidden
from handgrad.derive.read.steps import names_made, names_used
from handgrad.derive.simplify.folding import variants
from handgrad.derive.simplify.normal import normal
from handgrad.derive.simplify.reasons import Reason
from handgrad.derive.wording.search import tree
from handgrad.derive.wording.tree import leaves
from handgrad.derive.wording.words import Words
from handgrad.errors import DeriveError

PLACE = 4.0
"""What it costs to send something to a place by itself."""


MORE = 3
"""A form with so many terms more than the one with the fewest may still be shorter."""


UPSTREAM = 10**6
"""The line of gradients that are given."""


class Gradient(NamedTuple):
    """The gradient of a name over the indices of its form: as the chain rule gives it, and in its shortest form."""

    name: str
    form: Form
    chain: Expr
    short: Expr
    reasons: tuple[Reason, ...]


def start(graph: Graph, end: str) -> Expr:
    """The gradient that a backward pass starts from: one for a scalar, else a name of its own."""
    form = form_of(graph, end)
    if not form:
        return ONE
    return upstream(graph, end)


def upstream(graph: Graph, name: str) -> Expr:
    """The gradient of a name as a given tensor."""
    said = gradient_name(graph, name)
    if said not in graph.definitions:
        definition = graph.definitions[name]
        graph.define(said, Definition(definition.axes, (), "constant", user=True, line=UPSTREAM, text=said))
    return element(said, form_of(graph, name))


def gradient_name(graph: Graph, name: str) -> str:
    """What the gradient of a name is called: `dname`, where the program has no such name."""
    if name in graph.gradients:
        return graph.gradients[name]
    said = f"d{name}"
    while said in _used(graph) or said in graph.gradients.values():
        said = f"d_{said[1:]}"
    graph.gradients[name] = said
    return said


def _used(graph: Graph) -> set[str]:
    """The names that the lines of a program make or read."""
    if "used" not in graph.cache:
        graph.cache["used"] = {*names_used(graph.program.lines), *names_made(graph.program.lines)}
    return graph.cache["used"]


def backward(words: Words, end: str, targets: Iterable[str], given: Iterable[str] = ()) -> dict[str, Gradient]:
    """The gradients of the program's names between an end and some targets, in reverse order.

    The gradients of the names `given` are taken as tensors that are there.
    """
    graph = words.graph
    wanted = set(targets)
    known = set(given) - wanted
    between = made_of(graph, wanted, known)
    adjoint: Gradients = {name: upstream(graph, name) for name in known & between}
    if end in between:
        adjoint[end] = start(graph, end)
    found: dict[str, Gradient] = {}
    for name in reversed(list(graph.definitions)):
        if name not in adjoint or name not in between:
            continue
        raw = adjoint.pop(name)
        definition = graph.definitions[name]
        if name in known:
            short = upstream(graph, name)
        else:
            graph.reasons = []
            short = normal(graph, raw)
            if definition.user:
                short = shortened(words, form_of(graph, name), short)
                found[name] = Gradient(name, form_of(graph, name), raw, short, _reasons(graph))
                if len(short) > 1 and not definition.given:
                    short = named(graph, name, short)
        if definition.function == "unknown":
            if short and any(target != name and reaches(graph, target, name) for target in wanted):
                raise graph.errors[name]
        elif not definition.given:
            send(graph, name, short, adjoint, between)
    return found


def made_of(graph: Graph, names: set[str], given: set[str]) -> set[str]:
    """The names that some names go into, with themselves, up to those `given`."""
    users: dict[str, list[str]] = {}
    for name, definition in graph.definitions.items():
        for used in {n for e in definition.arguments for n in e.names()}:
            users.setdefault(used, []).append(name)
    lost = [name for name, definition in graph.definitions.items() if definition.function == "unknown"]
    found = names | {name for name in lost if any(reaches(graph, other, name) for other in names)}
    todo = list(found)
    while todo:
        here = todo.pop()
        if here in given and here not in names:
            continue
        for user in users.get(here, ()):
            if user not in found:
                found.add(user)
                todo.append(user)
    return found


def named(graph: Graph, name: str, gradient: Expr) -> Expr:
    """A gradient that is a sum under a hidden name, so that what is made of it stays short."""
    known = set(graph.definitions)
    made = graph.name(Indexed(gradient, form_of(graph, name))).expr
    single = made.single()
    if single is not None and single.name not in known:
        graph.adjoints[single.name] = gradient_name(graph, name)
    return made


def _reasons(graph: Graph) -> tuple[Reason, ...]:
    """The reasons of the last steps, with what gradients are called instead of their hidden names."""
    named = (r._replace(name=graph.adjoints.get(r.name, r.name)) for r in graph.reasons)
    return tuple(dict.fromkeys(r for r in named if not is_hidden(r.name)))


def shortened(words: Words, form: Form, expr: Expr) -> Expr:
    """The form of an expression that is said in the fewest words; the graph's reasons are those of this form."""
    found = variants(words.graph, expr, normal)
    fewest = min(len(option.expr) for option in found)
    options = [option for option in found if len(option.expr) <= fewest + MORE]
    costs = [cost(words, form, option.expr) for option in options]
    best = options[costs.index(min(costs))]
    words.graph.reasons = list(best.reasons)
    return best.expr


def cost(words: Words, form: Form, expr: Expr) -> float:
    """What it costs to say the gradient of a variable."""
    dense, sparse = scatters(form, expr)
    trees = [tree(words, made) for made in ([dense] if dense or not sparse else []) + [made for _, made in sparse]]
    total = sum(map(words.cost, trees)) + PLACE * len(sparse)
    adjoints = words.graph.adjoints
    if adjoints:  # what is said twice gets a line, and is said once
        said = Counter(b.name for t in trees for b in leaves(t) if isinstance(b, Factor) and b.name in adjoints)
        total -= sum((count - 1) * (words.name(name) - 1) - PLACE for name, count in said.items() if count > 1)
    return total


def reaches(graph: Graph, name: str, other: str) -> bool:
    """Whether a name is used on the way to another."""
    if "uses" not in graph.cache:
        graph.cache["uses"] = {name: names_used([line]) for line in graph.program.lines for name in names_made([line])}
    uses: Mapping[str, set[str]] = graph.cache["uses"]
    seen, todo = set(), [other]
    while todo:
        here = todo.pop()
        if here == name:
            return True
        if here not in seen:
            seen.add(here)
            todo += uses.get(here, ())
    return False


def missing(graph: Graph, name: str) -> DeriveError:
    """The error for a name that has no gradient."""
    known = [n for n, d in graph.definitions.items() if d.user and d.function != "constant" and d.line < UPSTREAM]
    return DeriveError(
        f"nothing is known of `{name}`", expected=f"one of {', '.join(known)}", next_step="Name a float tensor of it."
    )
