"""The chain rule of a program: what the gradient of each variable gets from each variable that is made of it."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from handgrad.derive.derivative import Gradients, form_of, send
from handgrad.derive.expr import ONE, Delta, Expr, Factor, merged, opened, term
from handgrad.derive.indices import Affine, Axis
from handgrad.derive.lower.graph import Graph, is_hidden
from handgrad.derive.shortest import insert
from handgrad.derive.simplify.deltas import contract
from handgrad.derive.simplify.sums import without_free_sums
from handgrad.derive.sweep import gradient_name, reaches, upstream


class Share(NamedTuple):
    """What a variable's gradient gets through one other variable, in that one's; `functions` are on the way."""

    user: str
    expr: Expr
    functions: tuple[str, ...]


class Equation(NamedTuple):
    """The chain rule for one variable: its gradient is the sum of the shares; `through` only pass on."""

    name: str
    shares: tuple[Share, ...]
    through: tuple[str, ...] = ()

    @property
    def total(self) -> Expr:
        """The sum of the shares."""
        out = Expr()
        for share in self.shares:
            out = out + share.expr
        return out

    def laid_beside(self) -> tuple[str, ...]:
        """The variables whose gradients lie beside each other in this one, along its last axis, if any do."""
        places: list[tuple[int, int, str]] = []
        for share in self.shares:
            piece = _piece(share.expr)
            if piece is None:
                return ()
            places.append((*piece, share.user))
        places.sort()
        ends = [0, *(start + count for start, count, _ in places)]
        whole = len(places) > 1 and all(start == end for (start, *_), end in zip(places, ends, strict=False))
        return tuple(user for *_, user in places) if whole else ()


def _piece(expr: Expr) -> tuple[int, int] | None:
    """Where an expression puts the last axis of one name, and how long that is; None where it does anything else."""
    if len(expr) != 1:
        return None
    ((product, c),) = expr
    deltas = [b for b, _ in product.factors if isinstance(b, Delta)]
    names = [b for b, p in product.factors if isinstance(b, Factor) and p == 1]
    if c != 1 or len(deltas) != 1 or len(names) != 1 or len(product.factors) != 2:
        return None
    index = next((i for i in deltas[0] if isinstance(i, Affine)), None)
    if index is None or len(index.terms) != 1 or index.terms[0][0] != 1:
        return None
    inner = index.terms[0][1]
    last = isinstance(inner, Axis) and names[0].indices[-1] == inner
    return (index.offset, inner.size.number) if last and isinstance(inner, Axis) else None


def equations(graph: Graph, end: str, targets: Collection[str], given: Collection[str] = ()) -> dict[str, Equation]:
    """The equations of all variables on the way from an end, and from given ones, to some targets, in reverse order.

    A variable that hands its one user's gradient on as it is has none: its own users' gradients stand in its place.

    Raises:
        DeriveError: a line on the way has no index notation.
    """
    found = shares(graph, end)
    _refuse_unknown(graph, found, targets)
    needed: set[str] = set()
    todo = [t for t in targets if t in found]
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            todo += [share.user for share in found[name] if share.user != end and share.user not in given]
    out: dict[str, Equation] = {}
    passed: dict[str, Equation] = {}
    for name in (n for n in found if n in needed):
        made = Equation(name, tuple(found[name]))
        for other, equation in passed.items():
            made = _without(graph, made, other, equation)
        if name not in targets and _passes_on(graph, made):
            passed[name] = made
        else:
            out[name] = made
    return out


def shares(graph: Graph, end: str) -> dict[str, list[Share]]:
    """Every variable's shares, in the order in which a backward pass meets them."""
    found: dict[str, list[Share]] = {end: []}
    for name in reversed(list(graph.definitions)):
        definition = graph.definitions[name]
        if name not in found or definition.given:
            continue
        own = ONE if name == end and not form_of(graph, name) else upstream(graph, name)
        local: Gradients = {}
        ways: dict[str, tuple[str, ...]] = {name: (definition.function,) if definition.function else ()}
        _send(graph, name, own, local, ways)
        for hidden in reversed(list(graph.definitions)):
            if hidden in local and is_hidden(hidden):
                _send(graph, hidden, tidied(graph, local.pop(hidden)), local, ways)
        for other, gradient in local.items():
            if made := tidied(graph, gradient):
                found.setdefault(other, []).append(Share(name, made, ways[other]))
    del found[end]
    order = [n for n in reversed(list(graph.definitions)) if n in found]
    return {name: found[name] for name in order}


def _send(graph: Graph, name: str, gradient: Expr, local: Gradients, ways: dict[str, tuple[str, ...]]) -> None:
    """Send a gradient on, and note by which functions it comes to where."""
    here: Gradients = {}
    send(graph, name, gradient, here)
    for other, made in here.items():
        local[other] = local.get(other, Expr()) + made
        function = graph.definitions[other].function if is_hidden(other) else ""
        ways[other] = tuple(dict.fromkeys([*ways.get(other, ()), *ways[name], *([function] if function else [])]))


def tidied(graph: Graph, expr: Expr) -> Expr:
    """The expression without deltas that can go, its names as they are."""
    out = []
    for product, c in expr:
        bound, factors = opened(product)
        over, powers = frozenset(bound), merged(factors)
        while (step := contract(graph, over, powers)) is not None:
            over, left = step
            if left is None:
                break
            powers = left
        else:
            over, powers = without_free_sums(graph, over, powers)
            out.append(term(over, powers.items(), c))
    return Expr(out)


def _passes_on(graph: Graph, equation: Equation) -> bool:
    single = equation.total.single() if len(equation.shares) == 1 else None
    return single is not None and single.name == gradient_name(graph, equation.shares[0].user)


def _without(graph: Graph, equation: Equation, passed: str, by: Equation) -> Equation:
    """An equation with the gradient that a variable passes on in the place of that variable's own."""
    (source,) = by.shares
    shares = []
    through = equation.through
    for share in equation.shares:
        if share.user != passed:
            shares.append(share)
            continue
        made = insert(share.expr, gradient_name(graph, passed), source.expr, form_of(graph, passed))
        functions = tuple(dict.fromkeys([*share.functions, *source.functions]))
        shares.append(Share(source.user, tidied(graph, made), functions))
        through = (*through, passed, *by.through)
    return equation._replace(shares=tuple(shares), through=tuple(dict.fromkeys(through)))


def _refuse_unknown(graph: Graph, shares: Mapping[str, list[Share]], targets: Collection[str]) -> None:
    for name in shares:
        unknown = graph.definitions[name].function == "unknown"
        if unknown and any(target != name and reaches(graph, target, name) for target in targets):
            raise graph.errors[name]
