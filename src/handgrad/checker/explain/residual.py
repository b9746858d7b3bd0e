"""What is left over between a line and the right gradient: a formula in the user's names, and its path."""

import ast
import contextlib
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from handgrad.checker.explain.algebra import Algebra
from handgrad.checker.explain.in_numpy import for_algebra, said
from handgrad.checker.judge.blame import Judge, Judgement
from handgrad.checker.read.names import uses
from handgrad.checker.read.trees import expression
from handgrad.checker.report import LeftOver
from handgrad.checker.run.modes import InDouble
from handgrad.checker.truth.cases import Case, evaluate
from handgrad.checker.truth.compare import agrees, align, as_tensor
from handgrad.checker.truth.measures import is_size
from handgrad.checker.truth.passes import Value
from handgrad.checker.truth.paths import share, told

LONGEST = 100
"""Characters beyond which nobody reads a formula that is left over."""
MOST = 8
"""For how many wrong lines of one pass the algebra is asked what is left over."""
EXACTLY = 1e-6
"""Relative difference up to which a formula is what is left over."""
SMALL = 4
"""Whole numbers above this one may be sizes, which are others in small sizes; up to it they are like others."""


class Residuals:
    """What is proven of the lines of one region, and what is left over of those that are wrong."""

    def __init__(self, judge: Judge):  # noqa: D107
        self.judge = judge
        self._algebras: dict[Value, Algebra] = {}
        self._asked = 0

    def proven(self, judgement: Judgement) -> bool:
        """Whether a right line is right whatever the numbers; False where that cannot be said."""
        if judgement.fault is not None or self.judge.truth.is_large:
            return False
        proof = self._algebra(self.judge, judgement).proof(judgement)
        if proof is None or proof.verdict != "proven" or not proof.shaped:
            return False
        return all(is_size(self.judge.trace, name) for name in proof.sizes)

    def left_over(self, judgement: Judgement) -> LeftOver | None:
        """What a wrong line has too much or lacks; None where nothing short can be said of it."""
        for judge, found in self._where(judgement):
            case = found.failing or found.cases[0]
            difference = _difference(judge, found, case)
            if difference is not None:
                part = share(case, difference)
                left = told(part, [*_numbers(found, case)]) if part else LeftOver()
                if not (part and part.value is None):
                    formula, lacks = self._formula(judge, found, case, difference)
                    left = replace(left, formula=formula, lacks=lacks)
                return left if left.formula or left.times else None
        return None

    def _where(self, judgement: Judgement) -> Iterator[tuple[Judge, Judgement]]:
        """The chain itself, or the same in small sizes where its own are large."""
        if judgement.fault in ("wrong", "masked") and self.judge.truth.is_large:
            yield from ((small, found) for small, found, _ in self.judge.in_small(judgement))
        elif judgement.fault in ("wrong", "masked"):
            yield self.judge, judgement

    def _algebra(self, judge: Judge, judgement: Judgement) -> Algebra:
        loss, _ = judge.truth.located(judgement.chain)
        if loss not in self._algebras:
            self._algebras[loss] = Algebra(judge, loss)
        return self._algebras[loss]

    def _formula(self, judge: Judge, judgement: Judgement, case: Case, difference: Tensor) -> tuple[str, bool]:
        """What a line has too much as a formula, and whether it lacks it; empty without a short one."""
        self._asked += 1
        proof = self._algebra(judge, judgement).proof(judgement) if self._asked <= MOST else None
        if proof is None or proof.verdict != "different" or not proof.difference or "\n" in proof.difference:
            return "", False
        from handgrad.derive.emit.source import written
        from handgrad.derive.lines.terms import negated, positive, rebuilt

        whole = _unspread(rebuilt(expression(proof.difference), lambda _: None))
        lacks = negated(whole)
        known = for_algebra(judge.machine, judge.machine.namespace)
        text = said(judge.machine, written(positive(whole) if lacks else whole), known)
        if text is None or len(text) > LONGEST or (judge is not self.judge and _has_sizes(whole)) or _cancels(whole):
            return "", False
        if uses(whole).reads & _own_gradients(judge, judgement, case.value):
            return "", False
        made = _evaluated(judge, case, text)
        if made is None or not agrees(-made if lacks else made, difference, case.noise, EXACTLY):
            return "", False
        return text, lacks


def _difference(judge: Judge, judgement: Judgement, case: Case) -> Tensor | None:
    """What a chain makes too much, element by element; None where it makes no such tensor."""
    made = as_tensor(evaluate(judge.machine, judgement.plan, case).got, case.want)
    got = align(made, case.want) if made is not None and not made.is_complex() else None
    return got.to(case.want.dtype) - case.want if got is not None and bool(torch.isfinite(got).all()) else None


def _evaluated(judge: Judge, case: Case, text: str) -> Tensor | None:
    """The value of a formula in the shape of the gradient; a gradient that the program has no name for is dNAME."""
    names = {**{f"d{name}": value for name, value in case.by_variable.items()}, **case.values, **case.gradients}
    precisely = InDouble() if case.double else contextlib.nullcontext()
    with judge.machine.holding(names), torch.no_grad(), precisely:
        try:
            made = as_tensor(judge.machine.evaluate(ast.parse(text, mode="eval").body, "<left over>"), case.want)
            return made.expand(case.want.shape) if made is not None else None
        except Exception:  # it names what is not at hand
            return None


def _own_gradients(judge: Judge, judgement: Judgement, value: Value) -> set[str]:
    """The names of the gradient that a chain makes, by whatever name the program calls its variable."""
    known = judge.truth.region.gradient_names.items()
    return {judgement.chain.name, *(name for name, variable in known if variable in value.names)}


def _numbers(judgement: Judgement, case: Case) -> Iterator[tuple[str, int]]:
    """The program's whole numbers, but for what loops count: those that the line uses, then those that are no others.

    A small number that the line does not use may be so by chance.
    """
    steps = judgement.chain.region.steps
    apart = {*case.gradients}.union(*(uses(step.statement.node).counters for step in steps))
    used = set().union(*(step.reads for step in judgement.plan.steps))
    named = {name: value for name, value in case.values.items() if type(value) is int and name not in apart}
    yield from ((name, value) for name, value in named.items() if name in used)
    alone = ((name, value) for name, value in named.items() if list(named.values()).count(value) == 1)
    yield from ((name, value) for name, value in alone if value > SMALL)


def _unspread(node: ast.expr) -> ast.expr:
    """The formula without the `.expand_as(x)` that only spreads it."""
    match node:
        case ast.Call(ast.Attribute(inner, "expand_as")):
            return inner
        case ast.UnaryOp(ast.USub(), ast.Call(ast.Attribute(inner, "expand_as"))):
            return ast.UnaryOp(ast.USub(), inner)
    return node


def _cancels(node: ast.expr) -> bool:
    """Whether a part is taken from itself, as it is where the algebra takes one index for two."""
    differences = [p for p in ast.walk(node) if isinstance(p, ast.BinOp) and isinstance(p.op, ast.Sub)]
    return any(ast.dump(p.left) == ast.dump(p.right) for p in differences)


def _has_sizes(node: ast.expr) -> bool:
    return any(isinstance(p, ast.Constant) and isinstance(p.value, int) and p.value > SMALL for p in ast.walk(node))
