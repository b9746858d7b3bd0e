"""Run a program statement by statement, through the blocks and functions that hold its forward pass, up to its end."""

import ast
import contextlib
import inspect
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from handgrad.checker.read.names import uses
from handgrad.checker.read.source import Statement, inner
from handgrad.checker.run.limits import TimeIsUp, time_limit
from handgrad.checker.run.machine import (
    LeaveLoop,
    Machine,
    ProgramEnds,
    UserError,
    compile_statement,
    reads_of,
    user_error,
)
from handgrad.checker.run.randomness import Randomness
from handgrad.checker.run.values import clone, copy_values, fingerprints, held_in, holds
from handgrad.forward.goal import Goal, is_float
from handgrad.forward.ran import Ran, asks_for_gradients
from handgrad.forward.reading import only_takes

ITEM = "__item__"
ROUNDS = 2
"""How often a training loop is gone round in search of a loss."""


@dataclass(frozen=True)
class Done:
    """The names that a statement has bound and changed, and whether it drew random numbers."""

    bound: Set[str]
    changed: Set[str]
    draws: bool = False


class Runner:
    """Runs statements until the goal is reached; `ran` are those that ran, `end` is the name whose value ends the pass.

    What raises is left out and kept in `errors`; the pass may do without it.
    """

    def __init__(self, machine: Machine, goal: Goal):
        """Nothing has run yet."""
        self.machine, self.goal = machine, goal
        self.ran: list[Ran] = []
        self.errors: list[UserError] = []
        self.end: str | None = None
        self.timed_out: Statement | None = None
        self._current: Statement | None = None
        self._defined: dict[tuple[str, int], tuple[Statement, ast.FunctionDef]] = {}
        self._entered: set[tuple[str, int]] = set()
        self._computed: set[str] = set()

    def begin_with(self, statement: Statement, names: Set[str]) -> None:
        """What these names stand for was there before the statement, the first one."""
        self.ran.append(self._record(statement, frozenset(), names, enters=True))

    def run(self, statements: Sequence[Statement], timeout: float | None = None) -> None:
        """Run a program; what it would do after the forward pass is not done."""
        try:
            with time_limit(timeout):
                self._run_all(statements, ())
        except TimeIsUp:
            self.timed_out = self._current
        except ProgramEnds as ends:
            if self.end is None and self._current is not None:
                self.errors.append(UserError(self._current.place, f"the program ended itself ({ends})"))
        except LeaveLoop:
            pass

    def _run_all(self, statements: Sequence[Statement], after: Sequence[Statement]) -> bool:
        """Whether the goal was reached in these statements; `after` are those that follow their block."""
        for i, statement in enumerate(statements):
            self._current = statement
            rest = (*statements[i + 1 :], *after)
            if isinstance(statement.node, ast.Return):
                return False
            if self.goal.is_inside(statement):
                reached = self._go_inside(statement, rest)
            elif isinstance(statement.node, ast.Global | ast.Nonlocal):
                continue
            else:
                reached = self._reaches(self._step(statement), rest)
            if reached:
                return True
        return False

    def _reaches(self, ran: Ran | None, rest: Sequence[Statement]) -> bool:
        if ran is None:
            return False
        self.ran.append(ran)
        self.end = self.goal.is_reached(ran, rest)
        return self.end is not None

    def _go_inside(self, statement: Statement, rest: Sequence[Statement]) -> bool:
        try:
            match statement.node:
                case ast.With(body=body):
                    with self._contexts(statement):
                        return self._run_all(inner(statement, body), rest)
                case ast.If(test=test, body=body, orelse=orelse):
                    chosen = body if self.machine.evaluate(test, statement.place.unit) else orelse
                    return self._run_all(inner(statement, chosen), rest)
                case ast.Try(body=body, orelse=orelse, finalbody=finalbody):
                    return self._run_all(inner(statement, [*body, *orelse, *finalbody]), rest)
                case ast.For() | ast.While():
                    return self._run_rounds(statement)
            return self._enter(statement, rest)
        except (TimeIsUp, ProgramEnds, LeaveLoop):
            raise
        except Exception as error:
            self.errors.append(user_error(error, statement))
            return False

    @contextlib.contextmanager
    def _contexts(self, statement: Statement) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for item in statement.node.items:
                entered = stack.enter_context(self.machine.evaluate(item.context_expr, statement.place.unit))
                if isinstance(item.optional_vars, ast.Name):
                    self.machine.namespace[item.optional_vars.id] = entered
            yield

    def _run_rounds(self, statement: Statement) -> bool:
        node = statement.node
        for _ in self._rounds(statement):
            try:
                if self._run_all(inner(statement, node.body), ()):
                    return True
            except LeaveLoop:
                continue
        return False

    def _rounds(self, statement: Statement) -> Iterator[None]:
        node, file = statement.node, statement.place.unit
        if isinstance(node, ast.While):
            for _ in range(ROUNDS):
                if not self.machine.evaluate(node.test, file):
                    return
                yield
            return
        items = iter(self.machine.evaluate(node.iter, file))
        for _, item in zip(range(ROUNDS), items, strict=False):
            self.machine.namespace[ITEM] = item
            if (ran := self._step(bound_to_item(statement), uses(node.iter).reads, enters=True)) is not None:
                self.ran.append(ran)
            yield

    def _enter(self, statement: Statement, rest: Sequence[Statement]) -> bool:
        """Go through the function that a statement calls, its parameters bound to what it is given.

        Not so where it is given what the pass has computed: then it is a part of a pass that began before it.
        """
        for call in (part for part in ast.walk(statement.node) if isinstance(part, ast.Call)):
            function = self._function_of(call)
            if function is None or function in self._entered or not self.goal.is_in(self._defined[function][1]):
                continue
            if any(name in self._computed for name in uses(call).reads):
                continue
            defined, node = self._defined[function]
            self._bind(statement, call, self.machine.evaluate(call.func, statement.place.unit))
            self._entered.add(function)
            if self._run_all(inner(defined, node.body), ()):
                return True
        return self._reaches(self._step(statement), rest)

    def _function_of(self, call: ast.Call) -> tuple[str, int] | None:
        """The name and line of the program's own function or method that is called."""
        if not isinstance(call.func, ast.Name | ast.Attribute):
            return None
        called = self.machine.evaluate(call.func, "<called>")
        code = getattr(inspect.unwrap(called), "__code__", None) if callable(called) else None
        found = (code.co_name, code.co_firstlineno) if code else None
        return found if found in self._defined else None

    def _bind(self, statement: Statement, call: ast.Call, function: Any) -> None:
        """Give the parameters of a function what it is called with."""
        file, function = statement.place.unit, inspect.unwrap(function)
        given = [self.machine.evaluate(a, file) for a in call.args]
        named = {str(k.arg): self.machine.evaluate(k.value, file) for k in call.keywords}
        owner = [function.__self__] if inspect.ismethod(function) else []
        signature = inspect.signature(getattr(function, "__func__", function))
        bound = signature.bind(*owner, *given, **named)
        bound.apply_defaults()
        nodes = signature.bind(*owner, *call.args, **{str(k.arg): k.value for k in call.keywords}).arguments
        self.machine.namespace.update(bound.arguments)
        for name in bound.arguments:
            node = nodes.get(name)
            reads = uses(node).reads if isinstance(node, ast.expr) else set()
            self.ran.append(self._record(statement, reads, {name}, enters=True))

    def _step(self, statement: Statement, more: Set[str] = frozenset(), enters: bool = False) -> Ran | None:
        """Run one statement; None where it raises."""
        node, namespace = statement.node, self.machine.namespace
        reads = reads_of(self.machine, node) | more
        values = [namespace.get(name) for name in reads]
        computes = any(is_float(v) or holds(is_float, v) or asks_for_gradients(v) for v in values)
        inside = {id(tensor) for value in values if not is_float(value) for tensor in held_in(value)}
        done = self._do(statement)
        if done is None:
            return None
        if computes and not (isinstance(node, ast.Assign) and only_takes(node.value)):
            self._computed |= done.bound - reads
        facts = {"enters": enters, "computes": computes, "draws": done.draws}
        return self._record(statement, reads, done.bound, done.changed, inside, **facts)

    def _do(self, statement: Statement) -> Done | None:
        node, namespace = statement.node, self.machine.namespace
        for part in (part for part in ast.walk(node) if isinstance(part, ast.FunctionDef)):
            self._defined[part.name, min([part.lineno, *(d.lineno for d in part.decorator_list)])] = statement, part
        namespace["__leave_loop__"] = LeaveLoop
        before, random_before = fingerprints(namespace), Randomness.now(namespace)
        try:
            self.machine.run(compile_statement(node, statement.place.unit))
        except (ProgramEnds, LeaveLoop, TimeIsUp):
            raise
        except Exception as error:
            self.errors.append(user_error(error, statement))
            return None
        after = fingerprints(namespace)
        bound = {name for name, (known, _) in after.items() if before.get(name, (None,))[0] != known}
        changed = {name for name, mark in after.items() if name in before and before[name] != mark}
        found, draws = uses(node), random_before.has_moved(Randomness.now(namespace))
        return Done(bound | found.binds, changed | found.changes, draws)

    def _record(
        self,
        statement: Statement,
        reads: Set[str],
        bound: Set[str],
        changed: Set[str] = frozenset(),
        inside: Set[int] = frozenset(),
        **facts: bool,
    ) -> Ran:
        namespace = self.machine.namespace
        binds = frozenset(bound & namespace.keys())
        changes = frozenset((changed & namespace.keys()) - binds)
        held: dict[str, Any] = {name: namespace[name] for name in binds | changes}
        fetches = frozenset(name for name in binds if id(held[name]) in inside)
        return Ran(statement, frozenset(reads), binds, changes, copy_values(held, _copied), held, fetches, **facts)


def bound_to_item(loop: Statement) -> Statement:
    """The target of a loop, as a statement that binds it."""
    node = loop.node
    take = ast.Assign([node.target], ast.Name(ITEM, ast.Load()))
    return replace(loop, node=ast.fix_missing_locations(ast.copy_location(take, node)), text="")


def _copied(tensor: Tensor) -> Tensor:
    return clone(tensor).requires_grad_(tensor.requires_grad)
