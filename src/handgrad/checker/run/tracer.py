"""Run the user's own program once, as it is, and keep what each statement read, wrote and made."""

import ast
import contextlib
import itertools
from collections.abc import Iterable, Iterator

import torch

from handgrad.checker.read.names import uses
from handgrad.checker.read.source import Source, Statement, inner
from handgrad.checker.read.spelling import GRADIENT_MODES, bare, number_of, seems_a_gradient
from handgrad.checker.run.flat import Flattener
from handgrad.checker.run.limits import TimeIsUp, time_limit
from handgrad.checker.run.losses import Losses
from handgrad.checker.run.machine import LeaveLoop, Machine, NextRound, UserError, user_error
from handgrad.checker.run.recorder import Handled, Recorder
from handgrad.checker.run.trace import Trace
from handgrad.checker.run.values import is_float

TRAINING_STEPS = 2


class Tracer:
    """Goes through a source statement by statement, into the blocks that hold a pass; `trace` is what was found."""

    def __init__(self, source: Source, machine: Machine, loss: str | None = None):
        """Prepare to run `source` in `machine`; `loss` names the loss where it is known."""
        self.source, self.machine = source, machine
        self.flattener = Flattener(machine, source)
        self.losses = Losses(source, machine, loss)
        self.trace = Trace(machine, notes=list(source.notes), shown=self.flattener.shown)
        self.trace.closed, self.trace.shared = source.closed, source.shared
        self.trace.mappings = self.flattener.elements.mappings
        self.trace.guesses = self.flattener.parameters.guesses
        self.trace.losses, self.trace.evident = self.losses.found, self.losses.evident
        self.ended_early = False
        self._following: list[list[Statement]] = []
        self.recorder = Recorder(self.trace, machine, self.flattener, self.losses)

    def run(self, timeout: float | None = None) -> Trace:
        """Run the whole source, training loops for their first steps only, for no more than `timeout` seconds."""
        statements = self.source.statements
        last = max((i for i, s in enumerate(statements) if self._may_matter(s.node)), default=-1)
        folder = self.source.path.parent if self.source.path else None
        with contextlib.chdir(folder) if folder else contextlib.nullcontext():
            self.recorder.open_region()
            try:
                with time_limit(timeout):
                    self._run_all(statements[: last + 1])
            except SystemExit as end:
                if self.ended_early or last + 1 < len(statements):
                    message = f"the program ended itself (exit: {end.code or 0})"
                    self.trace.ended = UserError(self.current.place, message)
            except TimeIsUp:
                self.trace.timed_out = UserError(self.current.place, "did not end in time")
                found = uses(self.current.node)
                self.trace.unfinished = found.binds | found.changes
            except LeaveLoop:
                pass
        self.trace.not_entered = self.flattener.not_entered
        self.trace.certain = self.losses.certain()
        return self.trace

    def _may_matter(self, node: ast.stmt) -> bool:
        written = set()
        for part in ast.walk(node):
            if isinstance(part, ast.stmt):
                found = uses(part)
                written |= found.binds | found.changes
        if self.losses.are_written(written) or self.flattener.matters(node) or _says_not_written(node):
            return True
        mains = [self._main_body(part) for part in ast.walk(node) if isinstance(part, ast.stmt)]
        return any(mains) or any(self.losses.is_spelled_like_a_gradient(n) or seems_a_gradient(n) for n in written)

    def _is_training_loop(self, node: ast.stmt) -> bool:
        """Whether a loop computes a new loss each time round, which a sum over time steps does not."""
        if not isinstance(node, ast.For | ast.While):
            return False
        for part in _straight(node.body):
            found = uses(part)
            if self.losses.are_bound_anew(found.binds, found.reads):
                return True
            if self._is_training_loop(part):
                return True
        return False

    def _holds_gradients(self, node: ast.stmt) -> bool:
        found = uses(node)
        if isinstance(node, ast.If) and any(self._main_body(n) for n in node.body):
            return True
        if self.flattener.matters(node):
            return True
        written = found.binds | found.changes
        if isinstance(node, ast.If) and self.losses.are_written(written):
            return True
        return any(self.losses.is_spelled_like_a_gradient(n) for n in written) or any(
            self._is_training_loop(n) for n in ast.walk(node) if isinstance(n, ast.stmt)
        )

    def _run(self, statement: Statement) -> None:
        self.current = statement
        node = statement.node
        if self._is_training_loop(node):
            self._run_training_loop(statement)
        elif (body := self._main_body(node)) is not None:
            self._run_block(statement, body)
        elif isinstance(node, ast.With) and (self._holds_gradients(node) or _is_about_autograd(node)):
            self._run_with(statement)
        elif isinstance(node, ast.If) and (_only_chooses(node) or self._holds_gradients(node)):
            self._run_if(statement)
        elif isinstance(node, ast.Try) and self._holds_gradients(node):
            self._run_try(statement)
        else:
            for part in self.flattener.lower(statement):
                self.recorder.run(part) if part.laid_out else self._run(part)

    def _main_body(self, node: ast.stmt) -> list[ast.stmt] | None:
        """The body of a function without arguments that holds the passes, where the statement calls it: `main()`."""
        if not (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)
        ):
            return None
        if node.value.args or node.value.keywords:
            return None
        for statement in self.source.statements:
            definition = statement.node
            if isinstance(definition, ast.FunctionDef) and definition.name == node.value.func.id:
                if any(isinstance(n, ast.Nonlocal) for n in ast.walk(definition)):
                    return None
                body = [n for n in definition.body if not isinstance(n, ast.Return | ast.Global)]
                return body if any(self._holds_gradients(n) for n in body) else None
        return None

    def _run_block(self, statement: Statement, body: list[ast.stmt]) -> None:
        self._run_all(inner(statement, body))

    def _run_all(self, statements: list[Statement]) -> None:
        """Run a block, each pass that follows an update of the parameters in a region of its own."""
        for i, statement in enumerate(statements):
            if self.recorder.updates and self._comes_next(statements[i:]) == "loss" and self._has_moved():
                self.recorder.open_region()
            self._following.append(statements[i + 1 :])
            try:
                self._run(statement)
            except SystemExit:
                self.ended_early |= i + 1 < len(statements)
                raise
            finally:
                self._following.pop()

    def _comes_next(self, statements: Iterable[Statement]) -> str:
        """Whether a "loss" is computed anew before the next "gradient" is; "" where neither comes."""
        for statement in statements:
            found = uses(statement.node)
            if found.binds & {bare(name) for name in self.trace.losses}:
                return "loss"
            if any(self.losses.is_spelled_like_a_gradient(n) for n in found.binds | found.changes):
                return "gradient"
            if self.flattener.matters(statement.node):
                return "gradient"
        return ""

    def _has_moved(self) -> bool:
        """Whether a tensor has another value than the forward pass began with, since something was computed from it."""
        region = self.trace.regions[-1]
        made = {n for step in region.steps for n in step.binds if not step.tainted}
        began = {n: v for n, v in region.start.items() if is_float(v) and n not in made}
        for step in region.steps:
            began.update({n: v for n, v in step.after.items() if step.plain and is_float(v)})
        return any(is_float(now := self.machine.namespace.get(n)) and not torch.equal(now, v) for n, v in began.items())

    def _run_if(self, statement: Statement) -> None:
        node = statement.node
        try:
            chosen = node.body if self.machine.evaluate(node.test, statement.place.unit) else node.orelse
        except Exception as error:
            if (handler := self.recorder.handler_of(error)) is not None:
                raise Handled(handler, error) from None
            self.trace.stops.append(user_error(error, statement))
            return
        self._run_block(statement, chosen)

    def _run_with(self, statement: Statement) -> None:
        node = statement.node
        with contextlib.ExitStack() as stack:
            try:
                for item in node.items:
                    entered = stack.enter_context(self.machine.evaluate(item.context_expr, statement.place.unit))
                    if isinstance(item.optional_vars, ast.Name):
                        self.machine.namespace[item.optional_vars.id] = entered
            except Exception as error:
                self.trace.stops.append(user_error(error, statement))
                return
            self._run_block(statement, node.body)

    def _run_try(self, statement: Statement) -> None:
        """Run the block, and the handler of what one of its lines raises.

        What the functions called had made till then is judged no more than a line that raised.
        """
        node, steps, calls = statement.node, self.trace.regions[-1].steps, len(self.flattener.scopes)
        begun = len(steps)
        self.recorder.handlers.append(node.handlers)
        try:
            self._run_block(statement, node.body)
            rest = node.orelse
        except Handled as caught:
            if caught.handler not in node.handlers:
                raise
            if caught.handler.name:
                self.machine.namespace[caught.handler.name] = caught.error
            self.trace.handled.append(user_error(caught.error, self.current))
            for step in steps[begun:]:
                kept = {n: v for n, v in step.gradients.items() if (number_of(n) or 0) < calls}
                step.tainted, step.gradients = step.tainted or kept != step.gradients, kept
            rest = caught.handler.body
        finally:
            self.recorder.handlers.pop()
        self._run_block(statement, [*rest, *node.finalbody])

    def _run_training_loop(self, statement: Statement) -> None:
        node = statement.node
        nested = any(self._is_training_loop(n) for n in ast.walk(node) if n is not node and isinstance(n, ast.stmt))
        try:
            rounds = self._rounds(statement, 1 if nested else TRAINING_STEPS)
            for _ in rounds:
                self.recorder.open_region()
                try:
                    self._run_block(statement, node.body)
                except NextRound:
                    continue
                except LeaveLoop:
                    break
        except TimeIsUp:
            raise
        except Exception as error:
            self.trace.stops.append(user_error(error, statement))
        if self._comes_next(itertools.chain(*reversed(self._following))) != "gradient":
            self.recorder.open_region()

    def _rounds(self, statement: Statement, limit: int) -> Iterator[None]:
        node, namespace, file = statement.node, self.machine.namespace, statement.place.unit
        if isinstance(node, ast.While):
            for _ in range(limit):
                if not self.machine.evaluate(node.test, file):
                    return
                yield
            return
        namespace["__items__"] = iter(self.machine.evaluate(node.iter, file))
        take = ast.Assign(targets=[node.target], value=ast.parse("next(__items__)", mode="eval").body)
        code = compile(ast.fix_missing_locations(ast.Module([ast.copy_location(take, node)], [])), file, "exec")
        for _ in range(limit):
            try:
                self.machine.run(code)
            except StopIteration:
                return
            yield


def _says_not_written(node: ast.stmt) -> bool:
    """Whether a statement stands for what is still to be written: `raise NotImplementedError`."""
    return isinstance(node, ast.Raise) and node.exc is not None and "NotImplementedError" in ast.unparse(node.exc)


def _is_about_autograd(node: ast.With) -> bool:
    """Whether a block is one of `torch.no_grad()` or of its relations, which change no value."""
    return any(GRADIENT_MODES.search(ast.unparse(item.context_expr)) for item in node.items)


def _only_chooses(node: ast.If) -> bool:
    """Whether a block gives names values, and what it asks gives none and changes nothing."""
    asked = uses(node.test)
    waits = any(isinstance(part, ast.Await) for part in ast.walk(node.test))
    return bool(uses(node).binds) and not (asked.binds or asked.changes or waits)


def _straight(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block and of the `with`, `if` and `try` blocks in it, each once, loops not entered."""
    for node in body:
        if isinstance(node, ast.With | ast.If | ast.Try):
            yield from _straight([*node.body, *getattr(node, "orelse", []), *getattr(node, "finalbody", [])])
        else:
            yield node
