"""What a gradient's line should say, written from the forward statements that use its variable."""

import ast
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.blame import Case, Chain, Judge
from handgrad.checker.candidates import Candidate, Candidates
from handgrad.checker.derive import terms
from handgrad.checker.edits import Edit, simple_statements
from handgrad.checker.edits.core import called, expression
from handgrad.checker.names import uses

DEEPEST = 3
"""How many forward statements without a gradient of their own a formula passes through."""
LONGEST = 400
"""Characters beyond which a formula explains nothing."""


class Formulas:
    """The formulas of one chain, in terms of the gradients that the program computes."""

    def __init__(self, judge: Judge, chain: Chain, case: Case):
        """`case` gives the shapes of what the forward statements compute."""
        self.judge, self.chain, self.case = judge, chain, case
        self.consumers = list(dict.fromkeys(name for name, _ in case.parts))

    def through(self, consumer: str) -> list[str]:
        """What comes back through one consumer: a term for each use of the variable in it."""
        texts = (_simplified(text) for text in self._terms(consumer, self.chain.variable, 0))
        return [text for text in texts if len(text) < LONGEST]

    def upstream(self, consumer: str) -> str | None:
        """The gradient of a consumer, by its name."""
        names = self.judge.gradient_names.items()
        found = (g for g, v in names if v == consumer and g in self.case.gradients and g != self.chain.name)
        return next(found, "1.0" if consumer in self.judge.trace.losses else None)

    def whole(self) -> str | None:
        """The whole gradient: the sum over all consumers; None where one of them is beyond the rules."""
        parts = [self.through(consumer) for consumer in self.consumers]
        text = " + ".join(term for part in parts for term in part)
        return text if parts and all(parts) and len(text) < LONGEST else None

    def _terms(self, consumer: str, variable: str, depth: int) -> Iterator[str]:
        upstream = self.upstream(consumer) or self._composed(consumer, depth)
        if upstream is None:
            return
        for step in self.judge.makers(consumer):
            node = step.statement.node
            if isinstance(node, ast.Assign) and _first(node.targets[0], node.value) == consumer:
                yield from terms(node.value, variable, upstream, self._shape_of, consumer)

    def _composed(self, consumer: str, depth: int) -> str | None:
        """The gradient of a consumer that has no name, through its own consumers."""
        loss, _ = self.judge.located(self.chain)
        within = self.judge.forward.ancestors(loss)
        values = [v for v in self.judge.forward.versions(consumer) if v in within]
        if not values or depth == DEEPEST:
            return None
        found: list[str] = []
        for further in self.judge.forward.consumers(values[0], within):
            part = list(self._terms(further.name, consumer, depth + 1))
            if not part:
                return None
            found += part
        text = " + ".join(found)
        return f"({text})" if found and len(text) < LONGEST else None

    def _shape_of(self, node: ast.expr) -> tuple[int, ...] | None:
        try:
            with self.judge.machine.holding(self.case.values | self.case.gradients), torch.no_grad():
                value: Any = self.judge.machine.evaluate(ast.fix_missing_locations(node), "<shape>")
        except Exception:  # whatever the user's expression raises: its shape is not known
            return None
        return tuple(value.shape) if isinstance(value, Tensor) else ()


class _Simpler(ast.NodeTransformer):
    def visit_UnaryOp(self, node):
        self.generic_visit(node)
        twice = isinstance(node.operand, ast.UnaryOp) and isinstance(node.operand.op, ast.USub)
        return node.operand.operand if twice and isinstance(node.op, ast.USub) else node

    def visit_BinOp(self, node):
        self.generic_visit(node)
        one = node.left.value == 1.0 if isinstance(node.left, ast.Constant) else False
        return node.right if one and isinstance(node.op, ast.Mult) else node


def _simplified(text: str) -> str:
    """The expression without needless brackets, signs and factors of one."""
    return ast.unparse(_Simpler().visit(expression(text)))


def rewritten(formulas: Formulas, candidates: Candidates) -> Iterator[Candidate]:
    """The right-hand side of a line, or one term of it, in the place of which the derived formula stands."""
    texts = [formulas.whole()]
    for consumer in formulas.consumers:
        through = formulas.through(consumer)
        texts += [" + ".join(through), *through]
    texts = list(dict.fromkeys(text for text in texts if text))
    for step in reversed(formulas.chain.steps):
        if step.statement.role == "entry":
            continue
        unfinished = candidates.not_yet(step)
        for simple in simple_statements(step.statement.node):
            if not (isinstance(simple, ast.Assign | ast.AugAssign) and formulas.chain.name in _bound(simple)):
                continue
            for cost, old in enumerate([simple.value, *_summands(simple.value)]):
                for text in texts:
                    new = expression(text)
                    edit = Edit(_kind(old, new), float(cost), old, new, simple)
                    if not edit.names & unfinished:
                        yield Candidate(edit.cost, edit, step)


def _first(target: ast.expr, value: ast.expr) -> str | None:
    """The name that a value is given; of a maximum and its index that of the maximum."""
    if isinstance(target, ast.Tuple) and called(value) in ("max", "min"):
        target = target.elts[0]
    return target.id if isinstance(target, ast.Name) else None


def _bound(simple: ast.stmt) -> set[str]:
    found = uses(simple)
    return found.binds | found.changes


def _summands(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        for side in (node.left, node.right):
            yield side
            yield from _summands(side)


def _kind(old: ast.expr, new: ast.expr) -> str:
    """What kind of mistake makes one expression of another."""
    before, after = uses(old).reads, uses(new).reads
    if _count(new, _is_sum) > _count(old, _is_sum) and before <= after:
        return "missing-sum" if _count(new, _is_term) <= _count(old, _is_term) else "missing-term"
    if before < after:
        return "missing-term" if _count(new, _is_term) > _count(old, _is_term) else "missing-factor"
    if after < before:
        return "extra-term" if _count(new, _is_term) < _count(old, _is_term) else "extra-factor"
    return "wrong-operator" if before == after else "wrong-variable"


def _count(tree: ast.expr, test: Callable[[ast.AST], bool]) -> int:
    return sum(map(test, ast.walk(tree)))


def _is_sum(node: ast.AST) -> bool:
    return called(node) in ("sum", "mean")


def _is_term(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)
