"""Run one statement of the user's program, and record what it read, wrote and made."""

import ast
import itertools
import re
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.read.names import Uses, gradient_of, in_order, uses
from handgrad.checker.read.source import Statement
from handgrad.checker.read.spelling import DOT, bare, is_difference_quotient, number_of
from handgrad.checker.run.flat import Flattener
from handgrad.checker.run.losses import Losses
from handgrad.checker.run.machine import (
    LeaveLoop,
    Machine,
    NextRound,
    ProgramEnds,
    UserError,
    compile_statement,
    reads_of,
    user_error,
)
from handgrad.checker.run.numpy_module import lifted
from handgrad.checker.run.quiet import Nothing
from handgrad.checker.run.randomness import Randomness
from handgrad.checker.run.trace import Region, Step, Trace, updates
from handgrad.checker.run.values import (
    Copies,
    copied,
    copy_values,
    fingerprints,
    holds,
    holds_float,
    is_float,
    is_object,
    storage_of,
)

_UNCOUNTED = re.compile(r"\.data\b|numpy")


class Handled(BaseException):
    """Leaves a `try` block for the handler of what one of its lines raised."""

    def __init__(self, handler: ast.ExceptHandler, error: Exception):
        """Keep both for the statement that `try` is."""
        self.handler, self.error = handler, error


class Recorder:
    """Runs statements one at a time and appends what they did to the trace's last region.

    `updates` says that something was computed from the gradients of this region; `handlers` are those of the `try`
    blocks around the statement.
    """

    def __init__(self, trace: Trace, machine: Machine, flattener: Flattener, losses: Losses):
        """Nothing has run yet."""
        self.trace, self.machine, self.flattener, self.losses = trace, machine, flattener, losses
        self.updates = False
        self.copies = Copies()
        self.handlers: list[list[ast.ExceptHandler]] = []
        self._loss_seen = False
        self._tainted: set[str] = set()
        self._gradient_names: set[str] = set()
        self._floats: set[str] = set()
        self._computed: set[str] = set()
        self._lost: set[str] = set()
        self._tries: list[tuple[UserError, int, set[str]]] = []
        self._counter = 0

    def open_region(self) -> None:
        """Begin a stretch that can be run again from the values of now."""
        namespace = {k: v for k, v in self.machine.namespace.items() if not k.startswith("__")}
        if self.trace.regions and not self.trace.regions[-1].steps:
            self.trace.regions.pop()
        self.trace.regions.append(Region(copy_values(namespace, self.copies.clone)))
        self._tainted, self._computed, self._loss_seen, self.updates = set(), set(), False, False
        self.flattener.begin()

    def run(self, statement: Statement) -> None:
        """Run a statement and record it.

        Raises:
            Handled: the statement raised what a `try` block around it handles.
        """
        try:
            step = Step(self._counter, statement, compile_statement(statement.node, statement.place.unit))
        except (SyntaxError, ValueError, RecursionError) as error:
            refused = f"{type(error).__name__}: {getattr(error, 'msg', error)}"
            self.trace.stops.append(UserError(statement.place, refused))
            return
        self._counter += 1
        found = uses(statement.node)
        step.constant = not torch.is_grad_enabled()
        step.reads = reads_of(self.machine, statement.node)
        computed = any(n in self._computed or holds_float(self.machine.namespace.get(n)) for n in step.reads)
        self._execute(step, found)
        self._classify(step, found)
        self._keep_what_was_made(step, plain=not (computed or step.error or step.backward))
        made = {n for n in step.writes if computed and holds(torch.is_tensor, self.machine.namespace.get(n))}
        self._computed = (self._computed - step.binds) | made
        self.trace.regions[-1].steps.append(step)
        if not step.error:
            self._forgive(step)
        else:
            self._settle_error(step, step.error, (found.binds | found.changes) - found.counters)
        for name in in_order(step.binds, statement.node):
            if self.losses.is_loss(name, self.machine.namespace.get(name)) and not step.backward:
                self._loss_seen = True
                if name not in self.losses.found:
                    self.losses.found.append(name)
            elif self.losses.may_be_made_of_some(name, self.machine.namespace.get(name)) and not step.backward:
                self.trace.wholes.add(name)

    def _execute(self, step: Step, found: Uses) -> None:
        """Run the step's code, and see what it bound and changed."""
        namespace = self.machine.namespace
        namespace.update(__leave_loop__=LeaveLoop, __next_round__=NextRound)
        before, random_before = fingerprints(namespace), Randomness.now(namespace)
        try:
            self.machine.run(step.code, looking=True)
        except ProgramEnds as ends:
            raise SystemExit(*ends.end.args) from None
        except Exception as error:
            if (handler := self.handler_of(error)) is not None:
                raise Handled(handler, error) from None
            step.error = user_error(error, step.statement)
        if self.machine.follows_arrays:
            self._lift_numbers(found.binds & namespace.keys())
        after = fingerprints(namespace)
        written = {n for n, mark in after.items() if before.get(n) != mark}
        step.binds = {n for n in written if before.get(n, (None,))[0] != after[n][0]} | (found.binds & set(after))
        touched = {n for n in found.called if is_object(namespace.get(n))}
        shown = {
            n for n in found.changes & set(after) if n in written or not _counts_changes(step.statement, namespace[n])
        }
        changed = written | touched | shown
        holders = {
            id(v) for n in changed - step.binds if is_object(v := namespace.get(n)) or isinstance(v, list | dict)
        }
        aliases = {n for n, v in namespace.items() if id(v) in holders} if holders else set()
        step.changes = (changed | aliases) - step.binds
        if step.error:
            step.binds |= found.binds
            step.changes |= found.changes - step.binds
        if random_before.has_moved(Randomness.now(namespace)):
            step.randomness = random_before

    def _lift_numbers(self, names: set[str]) -> None:
        """Follow a plain number whose gradient the program writes, such as a bias `b = 0.0`."""
        for name in names:
            word = name.rpartition(DOT)[2] if number_of(name) is None else bare(name)
            if any(gradient_of(other, {word}) for other in self.losses.names):
                self.machine.namespace[name] = lifted(self.machine.namespace[name])

    def _keep_what_was_made(self, step: Step, plain: bool) -> None:
        namespace = self.machine.namespace
        for name in in_order(step.writes, step.statement.node):
            value = namespace.get(name)
            step.after[name] = copied(value) if name in step.gradients else value
        step.plain = plain
        if plain:
            step.after = copy_values(step.after, self.copies.clone)

    def handler_of(self, error: Exception) -> ast.ExceptHandler | None:
        """The handler around a line that raised, and does not raise again."""
        for handler in itertools.chain(*reversed(self.handlers)):
            named = ast.unparse(handler.type) if handler.type else None
            if named is None or any(kind.__name__ in named for kind in type(error).__mro__[:-2]):
                return None if any(isinstance(n, ast.Raise) for n in ast.walk(handler)) else handler
        return None

    def _settle_error(self, step: Step, error: UserError, written: set[str]) -> None:
        follows = error.lacks(self._lost)
        self._lost |= written
        if not step.backward and self._draws(step):
            self.machine.namespace.update({name: Nothing(name) for name in written})
        elif not follows:
            trace, shows = self.trace, _shows(step.statement.node)
            displays = shows and (step.tainted or _only_displays(step.statement))
            early = error.missing in self.losses.names and self.losses.is_spelled_like_a_gradient(error.missing or "")
            held = (self.machine.namespace.get(n, ...) for n in step.reads & self._gradient_names)
            stub = any(value is None for value in held)
            if step.statement.place.cell is not None and (displays or early):
                trace.displays += [] if stub else [error]
            elif step.statement.place.cell is not None and step.gradients:
                self._tries.append((error, step.statement.place.cell, written))
                trace.errors.append(error)
            elif shows and step.tainted:
                trace.asides.append(error)
            else:
                (trace.errors if step.backward else trace.stops).append(error)
        for name in step.gradients:
            self.machine.namespace.pop(name, None) if name in step.binds else None

    def _forgive(self, step: Step) -> None:
        """What raised in an earlier cell of a notebook, and is made in this one, was a first try."""
        for error, cell, names in self._tries:
            if names <= step.binds and cell != step.statement.place.cell and error in self.trace.errors:
                self.trace.errors.remove(error)
                self.trace.displays.append(error)

    def _draws(self, step: Step) -> bool:
        """Whether a statement uses a plot, for which something stands in that does less."""
        direct = uses(step.statement.node).reads
        return any(isinstance(self.machine.namespace.get(name), Nothing) for name in direct)

    def _classify(self, step: Step, found: Uses) -> None:
        namespace = self.machine.namespace
        if self._loss_seen:
            self._floats |= {n for n, v in namespace.items() if is_float(v)}
            known = self._floats - self._gradient_names
            calls_with_loss = {number_of(loss) for loss in self.losses.found}
            for name in in_order(self._written_knowingly(step, found) - found.counters, step.statement.node):
                variable = self.flattener.scopes.variable_of(name, known - {name})
                knowingly = self.flattener.scopes.computes_gradients(name) or number_of(name) in calls_with_loss
                spelled = knowingly or bool(step.reads & (self._tainted | self._gradient_names))
                if variable and spelled and self._can_be_a_gradient(name, variable, step):
                    step.gradients[name] = variable
        self._gradient_names |= set(step.gradients)
        if step.gradients and step.statement.role == "element":
            maker = next(s for s in reversed(self.trace.regions[-1].steps) if not s.statement.only_moves)
            maker.tainted = not maker.gradients
        sources = self._tainted | self._gradient_names
        step.tainted = not step.gradients and bool(step.reads & sources)
        if step.tainted:
            self._tainted |= step.writes
            self.updates = True
        else:
            self._tainted -= step.binds

    def _can_be_a_gradient(self, name: str, variable: str, step: Step) -> bool:
        """Not a class or a generator; a function only where nobody calls it and nothing else is the gradient.

        Nor what a loop computes that updates the variable in each round, of which no loss is known.
        """
        value, node = self.machine.namespace.get(name), step.statement.node
        if isinstance(value, type | torch.Generator) or is_difference_quotient(node) or updates(step, variable):
            return False
        if not callable(value):
            return True
        others = self.losses.names - {name}
        return name not in self.losses.read and all(gradient_of(other, {variable}) is None for other in others)

    def _written_knowingly(self, step: Step, found: Uses) -> set[str]:
        """The written names without those that changed only because they share storage with a gradient written here."""
        namespace = self.machine.namespace
        shown = (found.binds | found.changes) & step.writes
        named = {n for n in shown - found.counters if self.losses.is_spelled_like_a_gradient(n)}
        storages = {storage_of(namespace.get(n)) for n in named} - {None}
        return {n for n in step.writes if n in shown or storage_of(namespace.get(n)) not in storages}


def _shows(node: ast.stmt) -> bool:
    """Whether a statement does no more than show, as `for p, grad in zip(parameters, grads): cmp(p, grad)`."""
    if isinstance(node, ast.For | ast.If):
        return all(map(_shows, (*node.body, *node.orelse)))
    return isinstance(node, ast.Expr)


def _only_displays(statement: Statement) -> bool:
    """Whether a statement is an expression that calls nothing, such as a name at the end of a cell."""
    return not any(isinstance(part, ast.Call) for part in ast.walk(statement.node))


def _counts_changes(statement: Statement, value: Any) -> bool:
    """Whether a change of the value would show in its version, so that `h.exp().mul_(d)` is seen to leave `h` alone."""
    tensor = isinstance(value, Tensor) and not value.is_inference()
    return tensor and not _UNCOUNTED.search(statement.text)
