"""Run the user's own program once, as it is, and keep what each statement read, wrote and made."""

import ast
import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, TypeGuard

import torch
from torch import Tensor

from handgrad.checker.flat import Flattener
from handgrad.checker.flat.spelling import bare, number_of
from handgrad.checker.machine import (
    LeaveLoop,
    Machine,
    Randomness,
    TimeIsUp,
    UserError,
    compile_statement,
    reads_of,
    user_error,
)
from handgrad.checker.names import Uses, gradient_of, uses, variables_of
from handgrad.checker.source import Source, Statement, inner

TRAINING_STEPS = 2
_LOSS = re.compile(r"loss|nll|cost|objective", re.IGNORECASE)
_GRADIENT_MODES = re.compile(r"\b(no_grad|enable_grad|set_grad_enabled|inference_mode)\(")
_UNCOUNTED = re.compile(r"\.data\b|numpy")


@dataclass(eq=False)
class Step:
    """One statement as it was run.

    `reads`, `binds` and `changes` hold names; `after` what the written names were afterwards; `gradients` the
    gradient names it wrote, each with its variable; `tainted` says that it computes from gradients; `plain` that no
    float tensor goes in, so that what comes out may be used again.
    """

    index: int
    statement: Statement
    code: CodeType
    reads: set[str] = field(default_factory=set)
    binds: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    after: dict[str, Any] = field(default_factory=dict)
    gradients: dict[str, str] = field(default_factory=dict)
    tainted: bool = False
    plain: bool = False
    error: UserError | None = None
    randomness: Randomness | None = None

    @property
    def writes(self) -> set[str]:
        """Names bound or changed in place."""
        return self.binds | self.changes

    @property
    def backward(self) -> bool:
        """Whether the statement belongs to the backward pass."""
        return self.tainted or bool(self.gradients)


@dataclass(eq=False)
class Region:
    """A stretch of the run that can be run again from `start`: the program up to a loop, or one training step."""

    start: dict[str, Any]
    steps: list[Step] = field(default_factory=list)


@dataclass
class Trace:
    """The run of a program.

    `errors` are exceptions that the gradients have nothing to do with, or that their own lines raise; `stops` are
    those of the program around them; `unfinished` are the names that the statement cut short would have written.
    """

    machine: Machine
    regions: list[Region] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    errors: list[UserError] = field(default_factory=list)
    stops: list[UserError] = field(default_factory=list)
    timed_out: UserError | None = None
    unfinished: set[str] = field(default_factory=set)
    losses: list[str] = field(default_factory=list)
    shown: Callable[[str], str] = str
    evident: set[str] = field(default_factory=set)
    """The losses that are known as such by their name, by a `.backward()`, or by a gradient of their own."""


def is_float(value: Any) -> TypeGuard[Tensor]:
    """Whether the value is a floating-point tensor."""
    return isinstance(value, Tensor) and value.is_floating_point()


def holds_float(value: Any, depth: int = 3) -> bool:
    """Whether a float tensor is the value or lies in it."""
    return holds(Tensor.is_floating_point, value, depth)


def holds(test: Callable[[Tensor], bool], value: Any, depth: int = 3) -> bool:
    """Whether a tensor that passes the test is the value or lies in it."""
    if isinstance(value, Tensor):
        return test(value)
    if depth == 0 or value is None or isinstance(value, int | float | str | type) or callable_module(value):
        return False
    if isinstance(value, list | tuple):
        return any(holds(test, v, depth - 1) for v in value[:64])
    if isinstance(value, dict):
        return any(holds(test, v, depth - 1) for v in itertools.islice(value.values(), 64))
    return any(holds(test, v, depth - 1) for v in list(getattr(value, "__dict__", {}).values())[:64])


def callable_module(value: Any) -> bool:
    """Whether the value is a module or a plain function, which hold no data of the pass."""
    return type(value).__name__ in {"module", "function", "builtin_function_or_method", "Nothing"}


def is_object(value: Any) -> bool:
    """Whether the value is an instance with attributes of its own, which a method may change."""
    return hasattr(value, "__dict__") and not isinstance(value, Tensor | type) and not callable_module(value)


def copy_values(values: dict[str, Any], convert) -> dict[str, Any]:
    """The namespace with every float tensor passed through `convert`, sharing kept, inside containers and objects."""
    memo: dict[int, Any] = {}

    def copy(value: Any, depth: int) -> Any:
        if id(value) in memo:
            return memo[id(value)]
        if isinstance(value, Tensor):
            memo[id(value)] = new = convert(value) if value.is_floating_point() else value
            return new
        plain = not holds_float(value, depth) and not getattr(value, "handgrad_copies", False)
        if depth == 0 or callable_module(value) or plain:
            new = value
            if type(value) in (list, dict, set) and len(value) < 1000:
                new = value.copy()
            memo[id(value)] = new
            return new
        if isinstance(value, list):
            memo[id(value)] = new = []
            new.extend(copy(v, depth - 1) for v in value)
            return new
        if isinstance(value, dict):
            memo[id(value)] = new = type(value)() if type(value) is dict else value.copy()
            new.update({k: copy(v, depth - 1) for k, v in value.items()})
            return new
        if isinstance(value, tuple):
            items = [copy(v, depth - 1) for v in value]
            if hasattr(value, "_fields"):
                return type(value)(*items)
            return tuple(items) if type(value) is tuple else type(value)(items)
        try:
            new = object.__new__(type(value))
        except TypeError:
            return value
        memo[id(value)] = new
        new.__dict__.update({k: copy(v, depth - 1) for k, v in vars(value).items()})
        return new

    return {name: copy(value, 4) for name, value in values.items()}


def _clone(tensor: Tensor) -> Tensor:
    return tensor.detach().clone()


def _version(tensor: Tensor) -> int:
    try:
        return tensor._version
    except RuntimeError:  # an inference tensor counts no versions
        return 0


def storage_of(value: Any) -> int | None:
    """Where a tensor's numbers lie, the same for all its views; None for a sparse tensor and for anything else."""
    dense = isinstance(value, Tensor) and value.layout is torch.strided
    return value.untyped_storage().data_ptr() if dense else None


def _counts_changes(statement: Statement, value: Any) -> bool:
    """Whether a change of the value would show in its version, so that `h.exp().mul_(d)` is seen to leave `h` alone."""
    tensor = isinstance(value, Tensor) and not value.is_inference()
    return tensor and not _UNCOUNTED.search(statement.text)


def _fingerprints(namespace: dict[str, Any]) -> dict[str, tuple]:
    return {
        name: (id(value), _version(value) if isinstance(value, Tensor) else 0)
        for name, value in namespace.items()
        if not name.startswith("__")
    }


class Handled(BaseException):
    """Leaves a `try` block for the handler of what one of its lines raised."""

    def __init__(self, handler: ast.ExceptHandler, error: Exception):
        """Keep both for the statement that `try` is."""
        self.handler, self.error = handler, error


class Tracer:
    """Runs a source statement by statement; `trace` is what it found."""

    def __init__(self, source: Source, machine: Machine, loss: str | None = None):
        """Prepare to run `source` in `machine`; `loss` names the loss where it is known."""
        self.source, self.machine = source, machine
        self.flattener = Flattener(machine, source)
        self.trace = Trace(machine, notes=list(source.notes), shown=self.flattener.shown)
        binds = [uses(s.node) for s in source.statements]
        self.all_names = {n for n, v in machine.namespace.items() if is_float(v)}
        self.all_names |= set().union(*(u.binds | u.changes for u in binds)) if binds else set()
        self.all_reads: set[str] = set()
        for s in source.statements:
            for node in ast.walk(s.node):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                    self.all_reads.add(node.id)
                if isinstance(node, ast.FunctionDef):
                    inside = [uses(n) for n in node.body]
                    self.all_names |= set().union(*(u.binds | u.changes for u in inside)) | {
                        a.arg for a in node.args.args
                    }
        self.loss_name = loss
        self.called_losses = set().union(*(_called_backward(s.node) for s in source.statements))
        self.named_losses = {n for n in self.all_names if _LOSS.search(n) and not variables_of_known(n, self.all_names)}
        self.loss_seen = False
        self.tainted: set[str] = set()
        self.gradient_names: set[str] = set()
        self.floats: set[str] = set()
        self.lost: set[str] = set()
        self.handlers: list[list[ast.ExceptHandler]] = []
        self.counter = 0
        self.started = False

    def run(self) -> Trace:
        """Run the whole source, training loops for their first steps only."""
        statements = self.source.statements
        last = max((i for i, s in enumerate(statements) if self._may_matter(s.node)), default=-1)
        folder = self.source.path.parent if self.source.path else None
        with contextlib.chdir(folder) if folder else contextlib.nullcontext():
            self._open_region()
            try:
                self._run_all(statements[: last + 1])
            except SystemExit:
                self.trace.notes.append("The program ended itself; what comes after that line was not run.")
            except TimeIsUp:
                self.trace.timed_out = UserError(self.current.place, "did not end in time")
                found = uses(self.current.node)
                self.trace.unfinished = found.binds | found.changes
            except LeaveLoop:
                pass
        return self.trace

    def is_loss(self, name: str, value: Any) -> bool:
        """Whether this name and value may be the loss of a pass."""
        if not (is_float(value) and value.numel() == 1):
            return False
        if self.loss_name:
            return bare(name) == self.loss_name
        name = bare(name)
        if value.dim() == 0 and any(gradient_of(other, {name}) for other in self.all_names):
            self.trace.evident.add(name)
        if name in self.named_losses | self.called_losses | self.trace.evident:
            self.trace.evident.add(name)
            return not variables_of_known(name, self.all_names)
        if value.dim() or variables_of_known(name, self.all_names):
            return False
        return not (self.named_losses or self.called_losses & set(self.trace.losses))

    def _may_matter(self, node: ast.stmt) -> bool:
        written = set()
        for part in ast.walk(node):
            if isinstance(part, ast.stmt):
                found = uses(part)
                written |= found.binds | found.changes
        if self.loss_name in written or written & self.named_losses or self.flattener.matters(node):
            return True
        mains = [self._main_body(part) for part in ast.walk(node) if isinstance(part, ast.stmt)]
        return any(mains) or any(variables_of_known(n, self.all_names) for n in written)

    def _is_training_loop(self, node: ast.stmt) -> bool:
        """Whether a loop computes a new loss each time round, which a sum over time steps does not."""
        if not isinstance(node, ast.For | ast.While):
            return False
        for part in _straight(node.body):
            found = uses(part)
            losses = self.named_losses | self.called_losses | {self.loss_name}
            if (found.binds & losses) - found.reads - {None}:
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
        return any(variables_of_known(n, self.all_names) for n in found.binds | found.changes) or any(
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
        elif isinstance(node, ast.If) and self._holds_gradients(node):
            self._run_if(statement)
        elif isinstance(node, ast.Try) and self._holds_gradients(node):
            self._run_try(statement)
        else:
            for part in self.flattener.lower(statement):
                self._run_step(part) if part.laid_out else self._run(part)

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
                body = [n for n in definition.body if not isinstance(n, ast.Return | ast.Global)]
                return body if any(self._holds_gradients(n) for n in body) else None
        return None

    def _run_block(self, statement: Statement, body: list[ast.stmt]) -> None:
        self._run_all(inner(statement, body))

    def _run_all(self, statements: list[Statement]) -> None:
        """Run a block, each pass that follows an update of the parameters in a region of its own."""
        for i, statement in enumerate(statements):
            if self.updates and self._a_pass_begins(statements[i:]) and self._has_moved():
                self._open_region()
            self._run(statement)

    def _a_pass_begins(self, statements: list[Statement]) -> bool:
        """Whether a loss is computed anew before the next gradient is."""
        for statement in statements:
            found = uses(statement.node)
            if found.binds & {bare(name) for name in self.trace.losses}:
                return True
            if any(self._spelled_like_a_gradient(n) for n in found.binds | found.changes):
                return False
            if self.flattener.matters(statement.node):
                return False
        return False

    def _has_moved(self) -> bool:
        """Whether a tensor has another value than the forward pass began with, since something was computed from it."""
        region = self.trace.regions[-1]
        began = {n: v for n, v in region.start.items() if is_float(v)}
        for step in region.steps:
            began.update({n: v for n, v in step.after.items() if step.plain and is_float(v)})
        return any(is_float(now := self.machine.namespace.get(n)) and not torch.equal(now, v) for n, v in began.items())

    def _run_if(self, statement: Statement) -> None:
        node = statement.node
        try:
            chosen = node.body if self.machine.evaluate(node.test, statement.place.file) else node.orelse
        except Exception as error:
            self._note_error(user_error(error, statement))
            return
        self._run_block(statement, chosen)

    def _run_with(self, statement: Statement) -> None:
        node = statement.node
        with contextlib.ExitStack() as stack:
            try:
                for item in node.items:
                    entered = stack.enter_context(self.machine.evaluate(item.context_expr, statement.place.file))
                    if isinstance(item.optional_vars, ast.Name):
                        self.machine.namespace[item.optional_vars.id] = entered
            except Exception as error:
                self._note_error(user_error(error, statement))
                return
            self._run_block(statement, node.body)

    def _run_try(self, statement: Statement) -> None:
        """Run the block, and the handler of what one of its lines raises.

        What the functions called had made till then is judged no more than a line that raised.
        """
        node, steps, calls = statement.node, self.trace.regions[-1].steps, len(self.flattener.scopes)
        begun = len(steps)
        self.handlers.append(node.handlers)
        try:
            self._run_block(statement, node.body)
            rest = node.orelse
        except Handled as caught:
            if caught.handler not in node.handlers:
                raise
            if caught.handler.name:
                self.machine.namespace[caught.handler.name] = caught.error
            self._note_error(user_error(caught.error, self.current), stops=False)
            for step in steps[begun:]:
                kept = {n: v for n, v in step.gradients.items() if (number_of(n) or 0) < calls}
                step.tainted, step.gradients = step.tainted or kept != step.gradients, kept
            rest = caught.handler.body
        finally:
            self.handlers.pop()
        self._run_block(statement, [*rest, *node.finalbody])

    def _handler_of(self, error: Exception) -> ast.ExceptHandler | None:
        """The handler around a line that raised, and does not raise again."""
        for handler in itertools.chain(*reversed(self.handlers)):
            kinds = [getattr(n, "attr", getattr(n, "id", "")) for n in ast.walk(handler.type)] if handler.type else None
            if kinds is None or any(kind.__name__ in kinds for kind in type(error).__mro__):
                return None if any(isinstance(n, ast.Raise) for n in ast.walk(handler)) else handler
        return None

    def _run_training_loop(self, statement: Statement) -> None:
        node = statement.node
        nested = any(self._is_training_loop(n) for n in ast.walk(node) if n is not node and isinstance(n, ast.stmt))
        try:
            rounds = self._rounds(statement, 1 if nested else TRAINING_STEPS)
            for _ in rounds:
                self._open_region()
                try:
                    self._run_block(statement, node.body)
                except LeaveLoop:
                    continue
        except TimeIsUp:
            raise
        except Exception as error:
            self._note_error(user_error(error, statement))
        self._open_region()

    def _rounds(self, statement: Statement, limit: int) -> Iterator[None]:
        node, namespace, file = statement.node, self.machine.namespace, statement.place.file
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

    def _open_region(self) -> None:
        namespace = {k: v for k, v in self.machine.namespace.items() if not k.startswith("__")}
        if self.trace.regions and not self.trace.regions[-1].steps:
            self.trace.regions.pop()
        self.trace.regions.append(Region(copy_values(namespace, _clone)))
        self.tainted, self.loss_seen, self.updates = set(), False, False
        self.flattener.begin()

    def _run_step(self, statement: Statement) -> None:
        machine, namespace = self.machine, self.machine.namespace
        try:
            step = Step(self.counter, statement, compile_statement(statement.node, statement.place.file))
        except (SyntaxError, ValueError, RecursionError) as error:
            self._note_error(UserError(statement.place, f"{type(error).__name__}: {getattr(error, 'msg', error)}"))
            return
        self.counter += 1
        namespace["__leave_loop__"] = LeaveLoop
        found = uses(statement.node)
        step.reads = reads_of(machine, statement.node)
        before, random_before = _fingerprints(namespace), Randomness.now(namespace)
        reads_float = any(holds_float(namespace.get(n)) for n in step.reads)
        try:
            machine.run(step.code)
        except (TimeIsUp, KeyboardInterrupt, SystemExit):
            raise
        except LeaveLoop:
            raise
        except Exception as error:
            if (handler := self._handler_of(error)) is not None:
                raise Handled(handler, error) from None
            step.error = user_error(error, statement)
        after = _fingerprints(namespace)
        written = {n for n, mark in after.items() if before.get(n) != mark}
        step.binds = {n for n in written if before.get(n, (None,))[0] != after[n][0]} | (found.binds & set(after))
        touched = {n for n in found.called if is_object(namespace.get(n))}
        shown = {n for n in found.changes & set(after) if n in written or not _counts_changes(statement, namespace[n])}
        step.changes = (written | touched | shown) - step.binds
        if step.error:
            step.binds |= found.binds
            step.changes |= found.changes - step.binds
        random_after = Randomness.now(namespace)
        if _moved(random_before, random_after):
            step.randomness = random_before
        self._classify(step, found)
        for name in step.writes:
            value = namespace.get(name)
            if name in step.gradients and isinstance(value, Tensor):
                value = _clone(value)
            step.after[name] = value
        step.plain = not (reads_float or step.error or step.backward)
        if step.plain:
            step.after = copy_values(step.after, _clone)
        self.trace.regions[-1].steps.append(step)
        if step.error:
            self._settle_error(step, step.error, (found.binds | found.changes) - found.counters)
        for name in step.binds:
            if self.is_loss(name, namespace.get(name)) and not step.backward:
                self.loss_seen = True
                if name not in self.trace.losses:
                    self.trace.losses.append(name)

    def _settle_error(self, step: Step, error: UserError, written: set[str]) -> None:
        follows = error.lacks(self.lost)
        self.lost |= written
        if not follows and (written or not (step.tainted and isinstance(step.statement.node, ast.Expr))):
            endless = error.message.startswith("RecursionError")
            self._note_error(error, stops=(bool(written) or endless) and not step.backward)
        for name in step.gradients:
            self.machine.namespace.pop(name, None) if name in step.binds else None

    def _classify(self, step: Step, found: Uses) -> None:
        namespace = self.machine.namespace
        if self.loss_seen:
            self.floats |= {n for n, v in namespace.items() if is_float(v)}
            known = self.floats - self.gradient_names
            for name in self._written_knowingly(step, found) - found.counters:
                variable = self.flattener.variable_of(name, known - {name})
                spelled = self.flattener.computes_gradients(name) or bool(
                    step.reads & (self.tainted | self.gradient_names)
                )
                if variable and spelled and self._can_be_a_gradient(name, variable):
                    step.gradients[name] = variable
        self.gradient_names |= set(step.gradients)
        sources = self.tainted | self.gradient_names
        step.tainted = not step.gradients and bool(step.reads & sources)
        if step.tainted:
            self.tainted |= step.writes
            self.updates = True
        else:
            self.tainted -= step.binds

    def _can_be_a_gradient(self, name: str, variable: str) -> bool:
        """Not a class or a generator; a function only where nobody calls it and nothing else is the gradient."""
        value = self.machine.namespace.get(name)
        if isinstance(value, type | torch.Generator):
            return False
        if not callable(value):
            return True
        others = self.all_names - {name}
        return name not in self.all_reads and all(gradient_of(other, {variable}) is None for other in others)

    def _written_knowingly(self, step: Step, found: Uses) -> set[str]:
        """The written names without those that changed only because they share storage with a gradient written here."""
        namespace = self.machine.namespace
        shown = (found.binds | found.changes) & step.writes
        named = {n for n in shown - found.counters if self._spelled_like_a_gradient(n)}
        storages = {storage_of(namespace.get(n)) for n in named} - {None}
        return {n for n in step.writes if n in shown or storage_of(namespace.get(n)) not in storages}

    def _spelled_like_a_gradient(self, name: str) -> bool:
        return variables_of_known(name, self.all_names)

    def _note_error(self, error: UserError, stops: bool = True) -> None:
        (self.trace.stops if stops else self.trace.errors).append(error)


def _called_backward(node: ast.stmt) -> set[str]:
    """The names on which `.backward()` is called: what autograd differentiates is a loss."""
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call) and not n.args]
    return {
        call.func.value.id
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "backward"
        and isinstance(call.func.value, ast.Name)
    }


def _is_about_autograd(node: ast.With) -> bool:
    """Whether a block is one of `torch.no_grad()` or of its relations, which change no value."""
    return any(_GRADIENT_MODES.search(ast.unparse(item.context_expr)) for item in node.items)


def _straight(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block and of the `with`, `if` and `try` blocks in it, each once, loops not entered."""
    for node in body:
        if isinstance(node, ast.With | ast.If | ast.Try):
            yield from _straight([*node.body, *getattr(node, "orelse", []), *getattr(node, "finalbody", [])])
        else:
            yield node


def variables_of_known(name: str, known: set[str]) -> bool:
    """Whether `name` is spelled like the gradient of one of `known`."""
    name = bare(name)
    return gradient_of(name, known - {name}) is not None and bool(variables_of(name))


def _moved(before: Randomness, after: Randomness) -> bool:
    return (
        not torch.equal(before.torch_state, after.torch_state)
        or before.python_state != after.python_state
        or before.numpy_mark != after.numpy_mark
        or before.numpy_generators != {k: v for k, v in after.numpy_generators.items() if k in before.numpy_generators}
        or any(
            name in before.generators and not torch.equal(before.generators[name], state)
            for name, state in after.generators.items()
        )
    )
