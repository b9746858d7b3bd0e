"""One function of a pair, with what it was called with, as statements that can stand without it."""

import ast
import copy
import functools
import inspect
import linecache
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType, MethodType
from typing import Any

from torch.nn import Module

from handgrad.checker.inspection import CheckError
from handgrad.checker.place import Place
from handgrad.checker.read.names import uses
from handgrad.checker.read.source import Statement, segment
from handgrad.checker.run.machine import Machine, UserError, compile_statement, user_error

SYNTHETIC = "<check>"
_NEEDS_A_FUNCTION = (ast.Nonlocal, ast.Yield, ast.YieldFrom, ast.Await, ast.AsyncFor, ast.AsyncWith)
_GRADIENT_MODES = ("no_grad", "enable_grad", "set_grad_enabled", "inference_mode")


class _CannotStandAloneError(Exception):
    """The body needs the function around it."""


class Half:
    """A function and its arguments, which can be run, statement by statement.

    `statements` are those that ran, in its own file: of an `if` with a `return` inside, the branch that was taken.
    `returned` is what follows the `return` that was met. A body that needs its function, or whose text is not at
    hand, is `whole`: it has no statements.
    """

    def __init__(self, function: Callable, args: Iterable[Any], kwargs: dict[str, Any] | None = None):
        """Find the function behind methods, decorators and `functools.partial`, and bind its arguments.

        `fixed` are the parameters that are given beforehand, and `passed` those that are given now.
        """
        kwargs = kwargs or {}
        self.called = getattr(function, "__name__", type(function).__name__)
        self.function, self.before, self.named = plain(function)
        self.signature = inspect.signature(self.function)
        self.bound = self._bind((*self.before, *args), {**self.named, **kwargs})
        names = list(self.bound.arguments)
        self.fixed = {*names[: len(self.before)], *(self.named.keys() - kwargs.keys())}
        self.passed = [n for n in names if n not in self.fixed]
        self.bound.apply_defaults()
        found = _definition(self.function)
        self.whole = found is None or any(map(_needs_a_function, ast.walk(found[0])))
        self.node, self.file, self.code = found or (None, SYNTHETIC, "")
        self.free = self._free_names()
        self.local = self._local_names()
        self._opened = False
        self._forget()

    def _forget(self) -> None:
        self.machine = Machine(None, name=self.function.__module__ or "")
        self.statements: list[Statement] = []
        self.returned: ast.expr | None = None
        self.place, self.text = Place(SYNTHETIC, 0), ""
        self.result: Any = None
        self.error: UserError | None = None

    @property
    def given(self) -> dict[str, Any]:
        """What each parameter is given."""
        return self.bound.arguments

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> inspect.BoundArguments:
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise CheckError(self._misfit(args, kwargs, error), where=self.called) from None
        return bound

    def _misfit(self, args: tuple[Any, ...], kwargs: dict[str, Any], error: TypeError) -> str:
        try:
            known = self.signature.bind_partial(*args, **kwargs).arguments
        except TypeError:
            return f"it cannot be called like this: {error}"
        optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        needed = [n for n, p in self.signature.parameters.items() if p.default is p.empty and p.kind not in optional]
        return f"it also needs {', '.join(n for n in needed if n not in known)}"

    def _free_names(self) -> dict[str, Any]:
        """The names of the module, or of a function around, that the body uses."""
        if self.node is None:
            return {}
        code = self.function.__code__
        cells = zip(code.co_freevars, self.function.__closure__ or (), strict=True)
        found = {}
        local = {*code.co_varnames, *code.co_cellvars}
        for name in {n.id for n in ast.walk(self.node) if isinstance(n, ast.Name)} - local:
            if name in self.function.__globals__:
                found[name] = self.function.__globals__[name]
        for name, cell in cells:
            try:
                found[name] = cell.cell_contents
            except ValueError:  # not given a value yet
                continue
        return found

    def _local_names(self) -> set[str]:
        body = self.node.body if self.node else []
        return set(self.signature.parameters).union(*(uses(n).binds for n in body))

    def binds(self, name: str) -> bool:
        """Whether the body gives a name another value."""
        return self.node is not None and any(name in uses(n).binds for n in self.node.body)

    def changes(self, name: str) -> bool:
        """Whether the body changes in place what a name stands for, as far as its text shows."""
        return self.node is not None and any(name in uses(n).changes for n in self.node.body)

    def call(self, target: str, names: dict[str, str]) -> str:
        """The text of a call, each parameter under its own name among `names`."""
        given = [(n, p.kind) for n, p in self.signature.parameters.items() if n in self.given]
        return f"{target}({', '.join(_mark(kind, n) + names.get(n, n) for n, kind in given)})"

    def run(self, given: dict[str, Any], opened: bool = False) -> "Half":
        """The same half, run on what is given in the place of its own arguments; `opened` leaves out `no_grad`."""
        ran = copy.copy(self)
        ran._forget()
        ran._opened = opened
        ran._run({**self.given, **given})
        return ran

    def _run(self, given: dict[str, Any]) -> None:
        if not self.whole:
            self.machine.namespace.update({**self.free, **given})
            try:
                self._run_all(self.node.body if self.node else [])
            except _CannotStandAloneError:
                self._forget()
                self.whole = True
        if self.whole:
            self.machine.namespace.update({**given, "handgrad_call": self.function})
            self._take(ast.parse(self.call("handgrad_call", {}), mode="eval").body, Place(self.file, 0))

    def _run_all(self, body: list[ast.stmt]) -> bool:
        """Whether a `return` or a `raise` was met."""
        for node in map(_without_annotation, body):
            statement = Statement(node, segment(self.code, node), Place(self.file, node.lineno), self.code)
            if isinstance(node, ast.Return):
                self._return(node, statement)
                return True
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue
            if self._opened and isinstance(node, ast.With) and _is_about_gradients(node):
                if self._run_all(node.body):
                    return True
            elif _returns(node):
                if not isinstance(node, ast.If):
                    raise _CannotStandAloneError
                if self._run_all(node.body if self._holds(node, statement) else node.orelse):
                    return True
            else:
                self.statements.append(statement)
                self._try(statement)
                if isinstance(node, ast.Raise):
                    self.place, self.text = statement.place, statement.text
                    return True
        return False

    def _return(self, node: ast.Return, statement: Statement) -> None:
        self.returned, self.place, self.text = node.value, statement.place, statement.text
        if node.value is not None:
            self._take(node.value, statement.place)

    def _take(self, value: ast.expr, place: Place) -> None:
        """Keep the value of an expression as the result."""
        take = ast.copy_location(ast.Assign([ast.Name("handgrad_result", ast.Store())], value), value)
        self._try(Statement(ast.fix_missing_locations(take), "", place, self.code))
        self.result = self.machine.namespace.get("handgrad_result")

    def _holds(self, node: ast.If, statement: Statement) -> bool:
        try:
            return bool(self.machine.evaluate(node.test, self.file))
        except Exception as error:
            self.error = self.error or user_error(error, statement)
            raise _CannotStandAloneError from None

    def _try(self, statement: Statement) -> None:
        try:
            self.machine.run(compile_statement(copy.deepcopy(statement.node), statement.place.unit))
        except (Exception, SystemExit) as error:
            self.error = self.error or user_error(error, statement)


def _mark(kind: Any, name: str) -> str:
    """What stands before an argument in a call."""
    kinds = inspect.Parameter
    return {kinds.VAR_POSITIONAL: "*", kinds.VAR_KEYWORD: "**", kinds.KEYWORD_ONLY: f"{name}="}.get(kind, "")


def plain(function: Any) -> tuple[FunctionType, tuple[Any, ...], dict[str, Any]]:
    """The function written in Python, and the arguments it is called with beforehand."""
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    found = function
    while not isinstance(found, FunctionType) or hasattr(found, "__wrapped__"):
        if isinstance(found, functools.partial):
            args, kwargs, found = (*found.args, *args), {**found.keywords, **kwargs}, found.func
        elif isinstance(found, MethodType):
            args, found = (found.__self__, *args), found.__func__
        elif hasattr(found, "__wrapped__"):
            found = found.__wrapped__
        elif isinstance(found, Module):
            found = found.forward
        elif isinstance(call := inspect.getattr_static(type(found), "__call__", None), FunctionType):
            args, found = (found, *args), call
        else:
            name = getattr(function, "__name__", type(function).__name__)
            raise CheckError("this is no function written in Python", where=name, next_step="Call it in a def.")
    if inspect.isgeneratorfunction(found) or inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found):
        raise CheckError("a generator or an async function cannot be checked", where=found.__name__, expected="return")
    return found, args, kwargs


def parameters_of(function: Callable) -> list[str]:
    """The parameters that have to be given when it is called."""
    found, before, named = plain(function)
    parameters = list(inspect.signature(found).parameters.values())[len(before) :]
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in optional and p.name not in named]


def _definition(function: FunctionType) -> tuple[ast.FunctionDef, str, str] | None:
    """The function's syntax tree at its own line numbers, its file and the file's text; None where there is none."""
    code = function.__code__
    text = "".join(linecache.getlines(code.co_filename))
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if code.co_firstlineno in (first, node.lineno):
                return node, code.co_filename, text
    return None


def _needs_a_function(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr.startswith("__") and not node.attr.endswith("__")
    return isinstance(node, _NEEDS_A_FUNCTION) or (
        isinstance(node, ast.Name) and node.id in ("super", "locals", "vars", "__class__")
    )


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what is in it, without the functions and classes defined inside."""
    yield node
    if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
        for child in ast.iter_child_nodes(node):
            yield from _own(child)


def _returns(node: ast.stmt) -> bool:
    return any(isinstance(part, ast.Return) for part in _own(node))


def _is_about_gradients(node: ast.With) -> bool:
    """Whether it is a block of `torch.no_grad()` or of its relations, which change no value."""
    calls = [item.context_expr for item in node.items]
    names = [ast.unparse(call.func).split(".")[-1] if isinstance(call, ast.Call) else "" for call in calls]
    return all(name in _GRADIENT_MODES for name in names)


def _without_annotation(node: ast.stmt) -> ast.stmt:
    """An annotation of a local variable is not evaluated; at the top of a module it would be."""
    if not isinstance(node, ast.AnnAssign):
        return node
    if node.value is None:
        return ast.copy_location(ast.Pass(), node)
    return ast.copy_location(ast.Assign([node.target], node.value), node)
