"""Whether a person's formula for a gradient is right: proven, equal in numbers, or off by what is left over."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from handgrad.derive.derivative import form_of
from handgrad.derive.emit import helpers
from handgrad.derive.emit.layout import UnsayableError
from handgrad.derive.emit.torch import assign
from handgrad.derive.equality import direct, factor_between, gathered, left_of, merge, onto
from handgrad.derive.expr import Expr
from handgrad.derive.indices import Form, plain_order
from handgrad.derive.lower import lower
from handgrad.derive.lower.graph import Definition, Graph, Indexed, UnsupportedError
from handgrad.derive.lower.lines import settle
from handgrad.derive.lower.lowering import Lowering
from handgrad.derive.lower.placing import lower_lines
from handgrad.derive.lower.values import value
from handgrad.derive.read.program import Program
from handgrad.derive.read.running import float64
from handgrad.derive.simplify.matching import unify_all
from handgrad.derive.simplify.normal import normal
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
        sizes: the whole numbers of the formula that are taken for sizes since they are as large as one dimension and no
            other, each with that one. That is seen in numbers only.

    Example:
        >>> Proof("different", "x / n", factor="2", right="x / n")
        different
        2 times the right gradient
        too much by: x / n
        right: x / n
        >>> Proof("proven", sizes={"n": "x.shape[0]"})
        proven
        in numbers only: n is x.shape[0]
    """

    verdict: str
    difference: str = ""
    factor: str = ""
    right: str = ""
    shaped: bool = True
    reason: str = ""
    sizes: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        """What came of it, in lines to read."""
        said = {"equal": "equal in numbers, not proven", "unknown": f"unknown: {self.reason}"}
        lines = [said.get(self.verdict, self.verdict) + ("" if self.shaped else ", of another shape")]
        if self.verdict == "different":
            lines += [f"{self.factor} times the right gradient"] if self.factor else []
            lines += [f"too much by: {self.difference}"] if self.difference else []
            lines += [f"right: {self.right}"] if self.right else []
        lines += [f"in numbers only: {name} is {said}" for name, said in self.sizes.items()]
        return "\n".join(lines)


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
        with float64():
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
        read = names_in(expression)
        sizes = {name: fact.removeprefix(f"{name} is ") for name, fact in self.graph.ties.items() if name in read}
        return replace(proof, shaped=shaped, right=self._said(right, form, gradient_of), sizes=sizes)

    def _lowered(self, expression: str, variable: str, given: set[str]) -> tuple[Expr, Form, bool]:
        """The formula over the indices of a variable's gradient, and whether it has just its shape."""
        graph, low = self.graph, Lowering(self.graph)
        gradients, known = {gradient_name(graph, n) for n in given}, set(graph.definitions)
        low.values |= {name: graph.values[name] for name in gradients}
        made, axes = lower_lines(low, expression), form_of(graph, variable)
        for text in graph.definitions.keys() - known:
            if graph.definitions[text].function == "constant" and gradients - {text} & names_in(text):
                raise UnsupportedError(f"`{text}` makes a constant of a gradient")
        theirs, shaped = onto(low, made, axes)
        name = graph.hidden()
        graph.define(name, Definition(axes, (theirs,)))
        settle(graph)
        merge(graph, name)
        settled = graph.definitions.pop(name)
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
        differences = [left_of(self.graph, theirs - r) for r in rights]
        if not all(differences):
            return Proof("proven")
        if self._vanishes(theirs - right, right, form):
            return Proof("equal")
        products = [gathered(self.graph, d) for d in differences]
        options = [shortened(self.words, form, whole) * scalar for whole, scalar in products]
        left = min(options, key=lambda d: cost(self.words, form, d))
        factor = factor_between(self.graph, theirs, right)
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


def names_in(source: str) -> set[str]:
    """The names in source; none where it cannot be read."""
    try:
        return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    except SyntaxError:
        return set()


__all__ = ["Proof", "Prover", "prove"]
