"""What the gradient of a name gives to the gradients of the names in its definition."""

import ast
import itertools
from collections.abc import Container

from handgrad.derive.expr import Expr, Factor, delta, element, exact, merged, term
from handgrad.derive.indices import Axis, Form, Index, Merged, Size, fresh, merge, plain_order, put_index
from handgrad.derive.lower.graph import Definition, Graph, Indexed, UnsupportedError
from handgrad.derive.lower.lowering import Lowering, refusal
from handgrad.derive.lower.sizes import is_size
from handgrad.derive.rules.elementwise import SLOPES
from handgrad.derive.simplify.matching import unify_all

SLOPES_OF_TWO: dict[str, tuple[str, str]] = {
    "pow": ("b * x**(b - 1)", "y * torch.log(x)"),
    "atan2": ("b / (x**2 + b**2)", "-x / (x**2 + b**2)"),
    "hypot": ("x / y", "b / y"),
    "logaddexp": ("torch.exp(x - y)", "torch.exp(b - y)"),
}
"""The slopes of a function `y` of two arguments, `x` and `b`."""

Gradients = dict[str, Expr]


def form_of(graph: Graph, name: str) -> Form:
    """Indices for the gradient of a name, the same whenever it is asked for; an axis that is ever split is split."""
    key = ("form", name)
    if key not in graph.cache:
        definition = graph.definitions[name]
        out: list[Index | None] = []
        for d, index in enumerate(definition.axes):
            split = _splits(graph).get((name, d))
            if split is not None and isinstance(index, Axis):
                out.append(merge(fresh(size) for size in split))
            else:
                own: dict[Index, Index] = {a: fresh(a.size) for a in plain_order(index)}
                out.append(put_index(index, own))
        graph.cache[key] = tuple(out)
        graph.views.update(index.indices for index in out if isinstance(index, Merged))
    return graph.cache[key]


def _splits(graph: Graph) -> dict[tuple[str, int], tuple[Size, ...]]:
    """The axes of named tensors that are somewhere read as several, and the sizes of these."""
    if "splits" not in graph.cache:
        found: dict[tuple[str, int], tuple[Size, ...]] = {}
        arguments = itertools.chain.from_iterable(d.arguments for d in graph.definitions.values())
        for product, _ in itertools.chain.from_iterable(arguments):
            for base, _ in product.factors:
                if not isinstance(base, Factor):
                    continue
                for d, index in enumerate(base.indices):
                    axes = [i for i in index.indices if isinstance(i, Axis)] if isinstance(index, Merged) else []
                    if isinstance(index, Merged) and len(axes) == len(index.indices):
                        found.setdefault((base.name, d), tuple(a.size for a in axes))
        graph.cache["splits"] = found
    return graph.cache["splits"]


def send(graph: Graph, name: str, gradient: Expr, out: Gradients, only: Container[str] | None = None) -> None:
    """Add what the gradient of a name, over the indices of its form, gives to each name in its definition.

    `only` are the names that it is wanted for, where not for all.
    """
    definition = graph.definitions[name]
    form = form_of(graph, name)
    places = dict(unify_all(definition.axes, form, {}) or {})
    over = {axis: fresh(axis.size) for axis in definition.over}
    places |= over
    summed = [*(a for i in form for a in plain_order(i)), *over.values()]
    for k, argument in enumerate(definition.arguments):
        here = gradient
        if definition.function:
            slope = slope_of(graph, name, k)
            if slope is None:
                continue
            here = gradient * slope.put(places)
        for product, c in argument.put(places).opened():
            for base, power in product.factors:
                if not isinstance(base, Factor) or not differentiable(graph, base.name):
                    continue
                if only is not None and base.name not in only:
                    continue
                rest = merged([*product.factors, (base, -1)])
                made = here * Expr([term((), rest.items(), exact(c * power))])
                for index, place in zip(form_of(graph, base.name), base.indices, strict=True):
                    if index is not None and place is not None:
                        made = made * delta(index, place)
                out[base.name] = out.get(base.name, Expr()) + made.sum([*summed, *product.bound])


def differentiable(graph: Graph, name: str) -> bool:
    """Whether a name has a gradient."""
    if is_size(name) or name not in graph.definitions:
        return False
    return graph.definitions[name].function != "constant"


def slope_of(graph: Graph, name: str, which: int) -> Expr | None:
    """The slope of the function that a name is, by one of its arguments, over the indices of its definition."""
    key = ("slope", name, which)
    if key not in graph.cache:
        graph.cache[key] = _slope(graph, name, graph.definitions[name], which)
    return graph.cache[key]


def _slope(graph: Graph, name: str, definition: Definition, which: int) -> Expr | None:
    axes = definition.axes
    if definition.function == "filled":
        return definition.arguments[1] if which == 0 else None
    if definition.function == "logsumexp":
        return _softmax(graph, name, definition)
    graph.line = definition.line
    names = {"y": name}
    for word, argument in zip(("x", "b"), definition.arguments, strict=False):
        single = graph.name(Indexed(argument, axes)).expr.single()
        assert single is not None
        names[word] = single.name
    if definition.function in SLOPES_OF_TWO:
        text = SLOPES_OF_TWO[definition.function][which]
    else:
        text = SLOPES[definition.function]
    node = ast.parse(text.replace("beta * ", ""), mode="eval").body
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id in names:
            part.id = names[part.id]
    try:
        made = Lowering(graph).tensor(node)
    except UnsupportedError as reason:
        line = graph.program.lines[definition.line]
        raise refusal(f"in the derivative of `{definition.function}`, {reason}", line.text, line.number) from None
    return made.expr.put(dict(unify_all(made.axes, axes, {}) or {}))


def _softmax(graph: Graph, name: str, definition: Definition) -> Expr:
    """exp(x - logsumexp(x)), under a name that says so."""
    axes = definition.axes
    single = definition.arguments[0].single()
    text = logarithm = ""
    if single is not None and len(definition.over) == 1 and definition.over[0] in single.indices:
        d = single.indices.index(definition.over[0])
        said = f"«{single.name}»" if single.name in graph.words else graph.definitions[single.name].text
        if said:
            text, logarithm = f"torch.softmax({said}, {d})", f"F.log_softmax({said}, {d})"
    whole = single.indices if single is not None else axes + definition.over
    exponent = graph.name(Indexed(definition.arguments[0] - element(name, axes), whole), text=logarithm)
    return graph.apply("exp", (exponent.expr,), whole, text=text).expr
