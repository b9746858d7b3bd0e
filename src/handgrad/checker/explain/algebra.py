"""Hand chains to the algebra: the forward pass, read once, and beside it each chain's own lines."""

import ast
from collections.abc import Iterable, Iterator, Set
from functools import cached_property
from typing import TYPE_CHECKING, Any

from handgrad.checker.explain.in_numpy import for_algebra
from handgrad.checker.explain.settings import temporaries
from handgrad.checker.judge.blame import Judge, Judgement
from handgrad.checker.read.names import uses
from handgrad.checker.run.trace import Step
from handgrad.checker.run.values import is_float
from handgrad.checker.truth.passes import Value
from handgrad.errors import DeriveError

if TYPE_CHECKING:
    from handgrad.derive.prove import Proof, Prover
    from handgrad.derive.read.program import Program


class Algebra:
    """What can be proven of the gradients of one loss."""

    def __init__(self, judge: Judge, loss: Value):  # noqa: D107
        self.judge, self.loss, self.forward = judge, loss, judge.truth.forward
        self.within = self.forward.ancestors(loss)

    def proof(self, judgement: Judgement) -> "Proof | None":
        """What can be proven of a chain; None where its lines, or those of the forward pass, cannot be read."""
        chain, plan = judgement.chain, judgement.plan
        _, value = self.judge.truth.located(chain)
        if self._prover is None or chain.goes_on or value is self.loss or value not in self._names:
            return None
        names, shadowed = self._meanings(chain.last.index), set() if plan.clean else {*plan.shadowed}
        steps = [*temporaries(self.judge, plan), *plan.steps]
        lines, read = _needed(list(_simple(step.statement.node for step in steps)), chain.name, names.keys() - shadowed)
        if read & shadowed or any(not isinstance(line, ast.Assign | ast.AugAssign | ast.Expr) for line in lines):
            return None
        try:
            return self._prover.prove("\n".join(_text(line, names) for line in lines), self._names[value])
        except Exception:  # whatever it is: a proof that fails says nothing about the line
            return None

    @cached_property
    def _prover(self) -> "Prover | None":
        from handgrad.derive.prove import Prover

        if self._program is None or self.loss not in self._names:
            return None
        gradients = {name: self._names[value] for name, value in self._written() if value in self._names}
        try:
            return Prover(self._program, self._names[self.loss], gradients)
        except DeriveError:
            return None

    @cached_property
    def _program(self) -> "Program | None":
        """The forward pass in single assignment."""
        from handgrad.derive.read.statements import read_program

        before = {self._inputs.get(name, name): held for name, held in self._before()}
        inputs = sorted({*self._inputs.values()} & before.keys())
        source = "\n".join(_text(step.statement.node, self._inputs) for step in self._steps)
        try:
            return read_program(source, before, inputs=inputs, output=self.loss.name)
        except Exception:  # whatever it is: what cannot be read proves nothing
            return None

    @cached_property
    def _steps(self) -> list[Step]:
        """The forward statements that the loss depends on, in order."""
        last = self.loss.step.index if self.loss.step else -1
        wanted, kept = {self.loss.name}, []
        for step in reversed(self.judge.region.steps):
            moves = step.statement.only_moves and step.binds <= self._roots.keys()
            if step.index <= last and step.writes & wanted and not (step.plain or step.backward or step.error or moves):
                kept.append(step)
                wanted |= step.reads
        return kept[::-1]

    @cached_property
    def _roots(self) -> dict[str, str]:
        """For each name of a value that nothing was computed from, its first name."""
        roots = [value for value in self.forward.values if value.root and value in self.within]
        return {name: value.name for value in roots for name in value.names if is_float(value.data)}

    @cached_property
    def _inputs(self) -> dict[str, str]:
        """For each name of a value that no statement makes, the one name that it has in the program."""
        made = set().union(*(step.binds for step in self._steps))
        return {name: first for name, first in self._roots.items() if not {name, first} & made}

    def _before(self) -> Iterator[tuple[str, Any]]:
        """What the names were that these statements read and do not make, and those that backward statements read."""
        made: set[str] = set()
        for step in [*self._steps, *(s for s in self.judge.region.steps if s not in self._steps)]:
            world = {**self.judge.machine.namespace, **self.forward.world(step.index)}
            found = sorted((step.reads - made) & world.keys())
            yield from for_algebra(self.judge.machine, {name: world[name] for name in found}).items()
            made |= {*found, *(step.binds if step in self._steps or step.backward else ())}

    @cached_property
    def _names(self) -> dict[Value, str]:
        """The name that each value has in the program."""
        program, line = self._program, 1
        assert program is not None
        found: dict[Value, str] = {v: v.name for v in self.within if v.root and v.name in program.inputs}
        for step in self._steps:
            numbers = range(line, line := line + _text(step.statement.node, {}).count("\n") + 1)
            targets = [target for target, made in program.makers() if made.number in numbers]
            made = [(v, t) for v in self.within if v.step is step for t in targets]
            found.update({v: t for v, t in made if program.renamed.get(t, t) in v.names})
        return found

    def _meanings(self, before: int) -> dict[str, str]:
        """For each name of a value just before a step, the name that the value has in the program."""
        bound = [(at, name, ours) for v, ours in self._names.items() for name, at in v.names.items() if at < before]
        return {name: ours for _, name, ours in sorted(bound)}

    def _written(self) -> Iterator[tuple[str, Value]]:
        """The gradients that the program computes, and of which values."""
        for name, variable in self.judge.truth.region.gradient_names.items():
            yield from ((name, value) for value in self.forward.versions(variable)[:1] if value in self.within)


def _simple(nodes: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements; in the place of one that assigns several values to as many names, an assignment of each."""
    tuples: dict[str, list[ast.expr]] = {}
    for node in nodes:
        match node:
            case ast.Assign([ast.Name(name)], ast.Tuple(values)):
                tuples[name] = values
            case ast.Assign([ast.Tuple(names)], ast.Tuple(values)) if len(names) == len(values):
                yield from (ast.Assign([name], value) for name, value in zip(names, values, strict=True))
            case ast.Assign([ast.Tuple(names)], ast.Name(name)) if len(names) == len(tuples.get(name, ())):
                yield from (ast.Assign([name], value) for name, value in zip(names, tuples[name], strict=True))
            case ast.Assign([target, *more], value) if more:
                yield from (ast.Assign([name], value) for name in (target, *more))
            case _:
                yield node


def _needed(lines: list[ast.stmt], name: str, known: Set[str]) -> tuple[list[ast.stmt], set[str]]:
    """The lines that make a name, without those that make what is known; and what they read that none of them makes."""
    wanted, kept = {name}, []
    for line in reversed(lines):
        found = uses(line)
        if (found.binds | found.changes) & wanted:
            kept.append(line)
            wanted = wanted - (found.binds - found.changes) | found.reads - known
    return kept[::-1], wanted


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]):
        self.names = names

    def visit_Name(self, node):
        return ast.Name(self.names.get(node.id, node.id), node.ctx)


def _text(node: ast.stmt, names: dict[str, str]) -> str:
    """The source of a statement, with other names in it."""
    source = ast.unparse(ast.fix_missing_locations(node))
    return ast.unparse(_Renamed(names).visit(ast.parse(source))) if names else source
