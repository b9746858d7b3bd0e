"""What a gradient's line should say, written from the forward statements that use its variable."""

import ast
import contextlib
import functools
from collections.abc import Collection, Iterator
from typing import Any

import torch

from handgrad.checker.explain.candidates import Candidate, Candidates
from handgrad.checker.explain.differences import kind_of_difference
from handgrad.checker.explain.in_numpy import for_algebra, said
from handgrad.checker.explain.readable import Wording
from handgrad.checker.judge.blame import Judge
from handgrad.checker.read.names import uses
from handgrad.checker.read.trees import Edit, called, expression, simple_statements
from handgrad.checker.run.modes import InDouble
from handgrad.checker.truth.cases import Case
from handgrad.checker.truth.chains import Chain

DEEPEST = 3
"""How many forward statements without a gradient of their own a formula passes through."""
LONGEST = 400
"""Characters beyond which a formula explains nothing."""


class Formulas:
    """The formulas of one chain, in terms of the gradients that the program computes."""

    def __init__(self, judge: Judge, chain: Chain, case: Case, full: Case, at_hand: Collection[str]):
        """`case` gives the values that formulas are compared by, `full` what the forward statements computed in their
        own sizes, and `at_hand` the names a formula may use.
        """
        self.judge, self.chain, self.case, self.full, self.at_hand = judge, chain, case, full, at_hand
        self._through: dict[str, list[str]] = {}
        self.consumers = list(dict.fromkeys(value.name for value in case.consumers))

    def through(self, consumer: str) -> list[str]:
        """What comes back through one consumer: a term for each use of the variable in it."""
        if consumer not in self._through:
            texts = (self.wording.of(text) for text in self._terms(consumer, self.chain.variable, 0))
            self._through[consumer] = [text for text in texts if len(text) < LONGEST]
        return self._through[consumer]

    def upstream(self, consumer: str) -> str | None:
        """The gradient of a consumer, by its name."""
        names = self.judge.truth.region.gradient_names.items()
        found = (g for g, v in names if v == consumer and g in self.case.gradients and g != self.chain.name)
        return next(found, "1.0" if consumer in self.judge.trace.losses else None)

    def whole(self) -> str | None:
        """The whole gradient: the sum over all consumers; None where one of them is beyond the rules."""
        parts = [self.through(consumer) for consumer in self.consumers]
        text = " + ".join(term for part in parts for term in part)
        return text if parts and all(parts) and len(text) < LONGEST else None

    @functools.cached_property
    def wording(self) -> Wording:
        """How the user would say it."""
        gradients = set(self.case.gradients)
        names = {n: v for n, v in self.case.values.items() if n in self.at_hand and n not in gradients}
        lines = (simple for step in self.chain.steps for simple in simple_statements(step.statement.node))
        values = [s.value for s in lines if isinstance(s, ast.Assign | ast.AugAssign)]
        return Wording(self._value_of, names, values)

    def _terms(self, consumer: str, variable: str, depth: int) -> Iterator[str]:
        upstream = self.upstream(consumer) or self._composed(consumer, depth)
        if upstream is None:
            return
        for step in self.judge.truth.region.makers(consumer):
            node = step.statement.node
            if isinstance(node, ast.Assign) and not step.changes and _first(node.targets[0], node.value) == consumer:
                yield from self._returned(node.value, variable, upstream, consumer)

    def _returned(self, value: ast.expr, variable: str, upstream: str, name: str) -> list[str]:
        from handgrad.derive.lines.returned import returned  # here, since most programs have no line at fault

        case, precisely = self.full, InDouble() if self.full.double else contextlib.nullcontext()
        machine = self.judge.machine
        with machine.holding(case.values | case.gradients) as namespace, torch.no_grad(), precisely:
            known = for_algebra(machine, namespace)
            try:
                texts = [said(machine, text, known) for text in returned(value, variable, upstream, known, name)]
            except Exception:  # whatever it is: a formula that cannot be derived explains nothing
                return []
            return [text for text in texts if text is not None]

    def _composed(self, consumer: str, depth: int) -> str | None:
        """The gradient of a consumer that has no name, through its own consumers."""
        loss, _ = self.judge.truth.located(self.chain)
        within = self.judge.truth.forward.ancestors(loss)
        values = [v for v in self.judge.truth.forward.versions(consumer) if v in within]
        if not values or depth == DEEPEST:
            return None
        found: list[str] = []
        for further in self.judge.truth.forward.consumers(values[0], within):
            part = list(self._terms(further.name, consumer, depth + 1))
            if not part:
                return None
            found += part
        text = " + ".join(found)
        return f"({text})" if found and len(text) < LONGEST else None

    def _value_of(self, node: ast.expr) -> Any:
        try:
            with self.judge.machine.holding(self.case.values | self.case.gradients), torch.no_grad():
                return self.judge.machine.evaluate(ast.fix_missing_locations(node), "<value>")
        except Exception:  # whatever the user's expression raises: its value is not known
            return None


def rewritten(formulas: Formulas, candidates: Candidates) -> Iterator[Candidate]:
    """The right-hand side of a line, or one term of it, in the place of which the derived formula stands.

    What is shorter, and keeps more of the line, comes first.
    """
    yield from sorted(_rewritten(formulas, candidates), key=lambda candidate: candidate.cost)


def _rewritten(formulas: Formulas, candidates: Candidates) -> Iterator[Candidate]:
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
            sizes = [n for n, v in formulas.case.values.items() if isinstance(v, int)]
            length = len(ast.unparse(simple))
            for old in [simple.value, *_summands(simple.value)]:
                for text in texts:
                    new = expression(text)
                    cost = length - len(ast.unparse(old)) + 1.5 * len(text)
                    edit = Edit(kind_of_difference(old, new, sizes), cost, old, new, simple)
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
