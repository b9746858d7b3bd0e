"""Whether a person's formula for a gradient is right: proven, equal in numbers, or off by what is left over."""

import ast
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from handgrad.derive.derivative import form_of
from handgrad.derive.emit import helpers
from handgrad.derive.emit.layout import UnsayableError
from handgrad.derive.emit.torch import assign
from handgrad.derive.expr import Expr, Factor, Number, Product, ratio, term
from handgrad.derive.indices import Axis, Form, Index, plain_order
from handgrad.derive.lower import lower
from handgrad.derive.lower.graph import Definition, Graph, Indexed, UnsupportedError
from handgrad.derive.lower.lines import settle
from handgrad.derive.lower.lowering import Lowering
from handgrad.derive.lower.placing import lower_lines
from handgrad.derive.lower.values import value
from handgrad.derive.read.program import Program
from handgrad.derive.simplify.matching import unify_all
from handgrad.derive.simplify.normal import normal
from handgrad.derive.simplify.opening import expand
from handgrad.derive.simplify.softmaxes import softmaxes
from handgrad.derive.sweep import UPSTREAM, backward, cost, gradient_name, missing, shortened, upstream
from handgrad.derive.wording.words import Words
from handgrad.errors import DeriveError

DRAWS = 3
"""How many random gradients a formula is tried with where it cannot be proven."""
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Proof:
    """What came of a formula.

    Attributes:
        verdict: "proven", since the formula and the right one are one expression; "equal" in numbers only; "different";
            or "unknown", since the formula cannot be put in index notation.
        difference: where it is different, what the formula has too much, as source in the program's names.
        factor: where it is the right gradient but for a factor, the factor.
        right: the right formula, in the gradients that the person's names.
        shaped: whether the formula has the shape of the variable.
        reason: why it is unknown.
    """

    verdict: str
    difference: str = ""
    factor: str = ""
    right: str = ""
    shaped: bool = True
    reason: str = ""


def prove(
    expression: str,
    program: Program,
    gradient_of: str,
    end: str | None = None,
    *,
    gradients: Mapping[str, str] | None = None,
) -> Proof:
    """Compare a formula for a gradient with the right one.

    Args:
        expression: the formula, or lines whose last makes it, in the names of the program and of gradients. It is
            judged given the gradients that it names: `dh * (1 - h**2)` is right whether `dh` is or not.
        program: the forward pass.
        gradient_of: the variable.
        end: what the gradient is of; the program's output where it is left out.
        gradients: the variable of each gradient's name; `dx` is that of `x` where it is left out.

    Raises:
        DeriveError: the program has no such variable, or no index notation from it to the end.
    """
    return Prover(program, end, gradients).prove(expression, gradient_of)


class Prover:
    """Compares formulas with the right gradients of one program."""

    def __init__(self, program: Program, end: str | None = None, gradients: Mapping[str, str] | None = None):
        """Put the program in index notation."""
        self.graph = lower(program)
        self.end = end or program.output
        for name, variable in (gradients or {}).items():
            self.graph.gradients[variable] = name

    def prove(self, expression: str, gradient_of: str) -> Proof:
        """Compare a formula with the right gradient of a variable."""
        if gradient_of not in self.graph.definitions or self.end not in self.graph.definitions:
            raise missing(self.graph, gradient_of)
        return _Comparison(self.graph.copy(), self.end).proof(expression, gradient_of)


class _Comparison:
    """One formula beside the right one; what its lines say of sizes and numbers holds for both."""

    def __init__(self, graph: Graph, end: str):
        self.graph, self.words, self.end = graph, Words(graph), end
        self._draw = torch.Generator().manual_seed(0)

    def proof(self, expression: str, gradient_of: str) -> Proof:
        given = self._mentioned(expression)
        if gradient_of in given:
            return Proof("unknown", reason="the formula names the gradient that it is for")
        for name in {*given, self.end}:
            self._give(name)
        try:
            theirs, form, shaped = self._lowered(expression, gradient_of, given)
        except (UnsupportedError, SyntaxError) as reason:
            return Proof("unknown", reason=str(reason))
        right = self._right(gradient_of, given)
        users = direct(self.graph, gradient_of) | given if given else set()
        for name in users - given:
            self._give(name)
        near = self._right(gradient_of, users) if users - given else right
        proof = self._judged(normal(self.graph, theirs), [right, near], form, gradient_of)
        return replace(proof, shaped=shaped, right=self._said(right, form, gradient_of))

    def _lowered(self, expression: str, variable: str, given: set[str]) -> tuple[Expr, Form, bool]:
        """The formula over the indices of a variable's gradient, and whether it has just its shape."""
        graph, low = self.graph, Lowering(self.graph)
        low.values |= {gradient_name(graph, n): graph.values[gradient_name(graph, n)] for n in given}
        made, axes = lower_lines(low, expression), form_of(graph, variable)
        theirs, shaped = onto(low, made, axes)
        name = graph.hidden()
        graph.define(name, Definition(axes, (theirs,)))
        settle(graph)
        settled = graph.definitions.pop(name)
        graph.numbered = {key: other for key, other in graph.numbered.items() if other != name}
        graph.cache.clear()
        form = form_of(graph, variable)
        return settled.arguments[0].put(dict(unify_all(settled.axes, form, {}) or {})), form, shaped

    def _right(self, variable: str, given: set[str]) -> Expr:
        """The right gradient of a variable, given those of others."""
        found = backward(self.words, self.end, [variable], given)
        if variable not in found:
            raise DeriveError(f"`{self.end}` does not depend on `{variable}`")
        return found[variable].short

    def _mentioned(self, expression: str) -> set[str]:
        """The variables whose gradients a formula names."""
        read, made = set(), set()
        for statement in ast.parse(expression).body:
            names = [n for n in ast.walk(statement) if isinstance(n, ast.Name)]
            read |= {n.id for n in names if isinstance(n.ctx, ast.Load)} - made
            made |= {n.id for n in names if isinstance(n.ctx, ast.Store)}
        return {name for name, d in list(self.graph.definitions.items()) if d.user and d.line < UPSTREAM
                and d.function != "constant" and gradient_name(self.graph, name) in read}  # fmt: skip

    def _give(self, name: str) -> None:
        """Draw a gradient as if it were given."""
        if form_of(self.graph, name):
            upstream(self.graph, name)
        shape = self.graph.values[name].shape
        drawn = torch.randn(shape, generator=self._draw, dtype=torch.float64)
        self.graph.values[gradient_name(self.graph, name)] = drawn

    def _judged(self, theirs: Expr, rights: list[Expr], form: Form, variable: str) -> Proof:
        right = rights[0]
        differences = [is_zero(self.graph, theirs - r) for r in rights]
        if not all(differences):
            return Proof("proven")
        if self._vanishes(theirs - right, right, form):
            return Proof("equal")
        options = [shortened(self.words, form, d) for d in differences]
        left = min(options, key=lambda d: cost(self.words, form, d))
        factor = _factor(self.graph, theirs, right)
        said = self._said(factor, (), variable) if factor is not None else ""
        return Proof("different", self._said(left, form, variable), said)

    def _vanishes(self, difference: Expr, right: Expr, form: Form) -> bool:
        """Whether a difference is nothing in numbers."""
        graph = self.graph
        known = {name: made for name, made in graph.values.items() if name in graph.definitions}
        given = {name: made for name, made in known.items() if graph.definitions[name].line == UPSTREAM}
        kept = {n: made for n, made in known.items() if graph.definitions[n].user or graph.definitions[n].given}
        axes = tuple(dict.fromkeys(a for i in form for a in plain_order(i)))
        for _ in range(DRAWS):
            drawn = {n: torch.randn(v.shape, generator=self._draw, dtype=torch.float64) for n, v in given.items()}
            graph.values = {**kept, **drawn}
            off, size = (value(graph, Indexed(e, axes)).abs().max() for e in (difference, right))
            if off > TOLERANCE * max(1e-30, float(size)):
                return False
        return True

    def _said(self, expr: Expr, form: Form, variable: str) -> str:
        """The source of an expression; empty where there is none."""
        try:
            if not form:
                return assign(self.words, "x", "x", (), expr)[0].removeprefix("x = ")
            before = helpers.lines(self.words, helpers.choose(self.words, [expr]))
            lines = assign(self.words, "x", variable, form, expr)
        except UnsayableError:
            return ""
        if len(lines) == 1 and not before:
            return lines[0].removeprefix("x = ")
        target = gradient_name(self.graph, variable)
        return "\n".join([*before.values(), *(line.replace("x", target, 1) for line in lines)])


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


def is_zero(graph: Graph, expr: Expr) -> Expr:
    """What is left of an expression: nothing where it can be proven to be zero."""
    left = normal(graph, expr)
    for which in (lambda _, d: not d.user, lambda *_: True):
        if left:
            made = normal(graph, expand(graph, left, which))
            left = made if len(made) < len(left) or not made else left
    if left:
        cleared = normal(graph, expand(graph, _cleared(graph, left), lambda *_: True, (1, 2, 3, 4)))
        left = cleared if not cleared else left
    if left and not normal(graph, softmaxes(graph, left)):
        return Expr()
    return left


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


def _factor(graph: Graph, theirs: Expr, right: Expr) -> Expr | None:
    """What the right expression has to be multiplied by to be another, where that is a single number or size."""
    for (one, k), (other, c) in itertools.product(list(theirs)[:1], right):
        powers = dict(one.factors)
        for base, power in other.factors:
            powers[base] = powers.get(base, 0) - power
        left = {b: p for b, p in powers.items() if p}
        if any(not isinstance(b, Factor) or b.indices for b in left):
            continue
        factor = Expr([term((), left.items(), ratio(k, c))])
        if not is_zero(graph, theirs - right * factor):
            return factor
    return None


__all__ = ["Axis", "Product", "Proof", "Prover", "prove"]
