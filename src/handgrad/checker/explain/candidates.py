"""Everything that may be edited to mend a chain, and what an edit may draw on."""

import ast
import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from handgrad.checker.explain.edits import Context, edits
from handgrad.checker.explain.in_numpy import spelling
from handgrad.checker.explain.masks import masks_of
from handgrad.checker.explain.settings import temporaries
from handgrad.checker.judge.blame import Judge, Judgement
from handgrad.checker.read.names import uses
from handgrad.checker.read.spelling import in_sight, is_at_home, number_of, owner_of
from handgrad.checker.read.trees import Edit, simple_statements, substitute
from handgrad.checker.run.trace import Step
from handgrad.checker.run.values import is_array, is_float


@dataclass(frozen=True)
class Candidate:
    """An edit of a step's statement; the cheapest that repairs the chain is reported."""

    cost: float
    edit: Edit
    step: Step


class Candidates:
    """The edits of one chain's statements, of the temporaries it uses, and of the functions it calls."""

    def __init__(self, judge: Judge, judgement: Judgement, raises: bool = False, suspected: Collection[ast.stmt] = ()):
        """Collect the names at hand; `raises` says that the line ends in an exception as it stands.

        Where lines are `suspected`, other lines of the same statement are edited after them.
        """
        self.raises, self.suspected = raises, suspected
        self.judge, self.plan, self.chain = judge, judgement.plan, judgement.chain
        case = judgement.failing or judgement.cases[0]
        reads = set().union(*(s.reads for s in self.plan.steps))
        at_hand = reads | judge.truth.names_at_hand(self.chain) | self._prepared()
        self.values = {n: v for n, v in case.values.items() if n in at_hand and not n.startswith("__")}
        self.values.update(case.gradients)
        self.values = self._made_of_gradients() | self.values
        self.gradients = set(case.gradients) - {self.chain.name}
        self.consumers, self.shape = {v.name for v in case.consumers}, tuple(case.want.shape)
        consumers = judge.truth.between(self.plan) | self.consumers
        makers = [s for n in consumers for s in judge.truth.region.makers(n)]
        self.related = {self.chain.variable, *consumers, *(n for s in makers for n in s.reads)}
        namespace = judge.machine.namespace
        self.values.update({n: v for n, v in namespace.items() if n in {*reads, "F"} and n not in self.values})
        near = reads.union(*(s.reads | s.writes | {s.statement.call} for s in self.chain.steps))
        seen = {n: v for n, v in self.values.items() if self._in_sight(n, near)}
        self.values = {n: torch.from_numpy(v) if is_array(v) else v for n, v in seen.items()}
        opened = [(n, v) for n, v in self.values.items() if self._is_open(n, v)]
        used = {n: i for i, step in enumerate(self.plan.steps) for n in step.reads}
        self.values = dict(sorted(opened, key=lambda one: (-used.get(one[0], -1), not is_at_home(one[0], used))))
        self.masks = list(dict.fromkeys(text for s in makers for text in self._masks(s.statement.node)))
        self.temporaries = temporaries(judge, self.plan)
        self.spelled = spelling(judge.machine)
        self._sorted: dict[bool, list[Candidate]] = {}

    def _prepared(self) -> set[str]:
        """The names that lines before this one made after the loss, of forward values alone."""
        loss, _ = self.judge.truth.located(self.chain)
        steps = self.chain.region.steps
        between = [s for s in steps[: steps.index(self.chain.last)] if loss.step and s.index > loss.step.index]
        return {n for s in between if not s.backward and isinstance(s.statement.node, ast.Assign) for n in s.binds}

    def _made_of_gradients(self) -> dict[str, Any]:
        """The temporaries that lines before this one made of gradients."""
        before = itertools.takewhile(lambda step: step is not self.chain.last, self.chain.region.steps)
        made = (s for s in before if s.tainted and isinstance(s.statement.node, ast.Assign))
        return {n: value for s in made for n, value in s.after.items() if n in s.binds and is_float(value)}

    def _in_sight(self, name: str, beside: Collection[str]) -> bool:
        trace = self.judge.trace
        return in_sight(name, beside) or name in trace.closed or owner_of(name) in trace.shared

    def _is_open(self, name: str, value: Any) -> bool:
        """Whether a line may use a name, or could if the forward half kept the tensor, which goes by no other name."""
        if name not in self.judge.trace.closed:
            return True
        if number_of(name) is None:
            return False
        others = (v for n, v in self.values.items() if n != name and n not in self.judge.trace.closed)
        return is_float(value) and not any(
            is_float(v) and v.shape == value.shape and torch.equal(v, value) for v in others
        )

    def _masks(self, node: ast.AST) -> Iterator[str]:
        """The masks of a forward statement's derivative, in names at hand or numbers that names stand for."""
        for mask in masks_of(node):
            for part in [part for part in ast.walk(mask) if isinstance(part, ast.Name)]:
                if part.id not in self.values and (known := self._by_value(part.id)) is not None:
                    mask = substitute(mask, part, known)
            if uses(mask).reads <= self.values.keys() | {"torch", "np"}:
                yield ast.unparse(mask)

    def _by_value(self, name: str) -> ast.expr | None:
        """What is at hand for a local name of the forward pass: another name of its value, or a number itself."""
        values = (step.after[name] for step in reversed(self.chain.region.steps) if name in step.after)
        value = next(values, None)
        if isinstance(value, int | float):
            kept = (n for n in self.values if owner_of(n) in self.judge.trace.shared)
            known = next((n for n in kept if type(self.values[n]) is type(value) and self.values[n] == value), None)
            return ast.Name(known, ast.Load()) if known else ast.Constant(value)
        if not isinstance(value, torch.Tensor):
            return None
        same = (n for n, v in self.values.items() if is_float(v) and is_float(value) and v.shape == value.shape)
        found = next((n for n in same if torch.allclose(self.values[n].to(value.dtype), value)), None)
        return ast.Name(found, ast.Load()) if found else None

    def context(self, step: Step | None = None) -> Context:
        """What an edit of a step may draw on."""
        chain = self.chain
        own = step in chain.steps
        node = step.statement.node if step else ast.Pass()
        beside = step.reads | step.writes | {step.statement.call} if step else set(self.values)
        made = uses(node).binds if isinstance(node, ast.For | ast.While | ast.With | ast.If) else set()
        if isinstance(node, ast.FunctionDef):
            made = {a.arg for a in node.args.args}.union(*(uses(line).binds for line in node.body))
        earlier = [s for s in chain.region.steps if step and s.index < step.index]
        return Context(
            chain.name,
            chain.variable,
            {n: v for n, v in self.values.items() if self._in_sight(n, beside)},
            self.gradients,
            self.shape,
            self.judge.truth.region.constants,
            raises=self.raises,
            continues=own and step is not chain.steps[0],
            related=self.related,
            accumulates=own and step is not chain.last,
            mentioned=uses(node).reads,
            locals=made,
            counters=uses(node).counters,
            masks=self.masks,
            upstream={g for g, v in self.judge.truth.region.gradient_names.items() if v in self.consumers},
            again={n for s in earlier if s.backward for n in s.binds} & uses(node).binds,
            prepared={n for s in earlier if s.tainted for n in s.binds} - uses(node).binds,
            spelled=self.spelled,
            carried=made & set().union(*(s.binds for s in earlier)) - uses(node).counters,
        )

    def sorted(self, late: bool) -> list[Candidate]:
        """All edits that the early rules propose, or the late ones, the cheapest first."""
        if late not in self._sorted:
            self._sorted[late] = sorted(self._all(late), key=lambda c: c.cost)
        return self._sorted[late]

    def _all(self, late: bool) -> Iterator[Candidate]:
        for position, step in enumerate(self.editable()):
            own = step in self.chain.steps
            far = 0.0 if own else 1.0 if _makes_numbers(step) else -0.1 if step.turns else 0.05
            far += 0.3 if step.statement.role == "argument" and not step.tainted else 0.0
            context, unfinished = self.context(step), self.not_yet(step)
            others = set() if own or isinstance(step.statement.node, ast.FunctionDef) else self.gradients - step.turns
            for simple in simple_statements(step.statement.node):
                if uses(simple).binds & others:
                    continue
                aside = 1.0 if self.suspected and step is self.chain.last and simple not in self.suspected else 0.0
                gives_gradient = step.tainted and step.statement.role == "argument"
                aside += 0.5 if _only_hands_on(simple) and not (own or gives_gradient) else 0.0
                for edit in edits(simple, context, late):
                    if not edit.names & unfinished:
                        edit.cost += far + aside
                        yield Candidate(edit.cost + 0.001 * position, edit, step)

    def not_yet(self, step: Step) -> set[str]:
        """The names that are given a value only after a step, so that it cannot use them."""
        steps, node = self.chain.region.steps, step.statement.node
        if isinstance(node, ast.FunctionDef):
            return {n for s in steps if s.index > step.index for n in s.gradients}
        before = set(self.chain.region.start).union(*(s.binds for s in steps if s.index < step.index))
        before |= step.binds if hasattr(node, "body") else set()
        return set().union(*(s.binds for s in steps)) - before

    def editable(self) -> Iterator[Step]:
        """The plan's steps, last first, the temporaries they use, then the user's functions they call."""
        suspects = (step for step in reversed(self.plan.steps) if step not in self.judge.acquitted)
        yield from (step for step in suspects if not step.statement.only_moves and step.statement.place.line)
        yield from (step for step in reversed(self.temporaries) if not step.statement.only_moves)
        reads = set().union(*(s.reads for s in self.plan.steps))
        before = [s for region in self.judge.trace.regions for s in region.steps if s.index < self.chain.steps[0].index]
        for step in dict.fromkeys([*before, *self.chain.region.steps]):
            if isinstance(step.statement.node, ast.FunctionDef) and step.binds & reads:
                yield step


def _makes_numbers(step: Step) -> bool:
    return all(isinstance(value, int | float) for value in step.after.values())


def _only_hands_on(line: ast.stmt) -> bool:
    """Whether a line computes nothing, as `dx, x = None, cache`; `dx[x < 0] = 0` does."""
    names = isinstance(line, ast.Assign) and all(isinstance(t, ast.Name | ast.Tuple) for t in line.targets)
    parts = ast.walk(line.value) if names else [line]
    return all(isinstance(part, ast.Name | ast.Constant | ast.Tuple | ast.expr_context) for part in parts)
