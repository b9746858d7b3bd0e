"""Functions as they are written: their parameters, their files, their syntax trees."""

import ast
import copy
import inspect
import linecache
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import torch

from handgrad.checker.guard import CheckError
from handgrad.checker.place import Place
from handgrad.checker.read.source import Statement, segment

_GRADIENT_MODES = ("no_grad", "enable_grad", "set_grad_enabled", "inference_mode")
_NOTHING = object()
CROSSINGS = ("numpy", "from_numpy")


def called(function: Any) -> str:
    """The name of a callable."""
    return getattr(function, "__name__", type(function).__name__)


def plain(function: Any) -> Any:
    """The function under methods, decorators and `functools.partial`."""
    while (inner := getattr(function, "func", None) or getattr(function, "__wrapped__", None)) is not None:
        function = inner
    if not hasattr(function, "__code__") and not hasattr(function, "__func__"):
        kind = type(function)
        function = getattr(kind, "forward", None) or inspect.getattr_static(kind, "__call__", function)
    return getattr(function, "__func__", function)


def files_of(*functions: Any) -> tuple[str, ...]:
    """The files that functions are written in."""
    codes = [getattr(plain(function), "__code__", None) for function in functions]
    return tuple(dict.fromkeys(code.co_filename for code in codes if code is not None))


def definition_of(function: Any) -> tuple[ast.FunctionDef | None, str]:
    """The syntax tree of a function, at its own line numbers, and its file; None where there is none."""
    code = getattr(plain(function), "__code__", None)
    if code is None:
        return None, ""
    try:
        tree = ast.parse("".join(linecache.getlines(code.co_filename)))
    except (SyntaxError, ValueError, RecursionError):
        return None, ""
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == code.co_name]
    first = {node: min([node.lineno, *(d.lineno for d in node.decorator_list)]) for node in nodes}
    found = [node for node in nodes if code.co_firstlineno in (first[node], node.lineno)]
    return (found[0], code.co_filename) if found else (None, "")


def returned_by(node: ast.AST | None) -> list[ast.Return]:
    """The statements with which a function returns."""
    return [n for n in ast.walk(node) if isinstance(n, ast.Return)] if node is not None else []


def signature_of(function: Callable) -> inspect.Signature:
    """The parameters of a function written in Python.

    Raises:
        CheckError: it is none.
    """
    name = called(function)
    inner = inspect.unwrap(function) if callable(function) else function
    if inspect.isbuiltin(inner) or not callable(inner):
        raise CheckError("this is no function written in Python", where=name, next_step="Call it in a def.")
    if inspect.isgeneratorfunction(inner) or inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner):
        raise CheckError("a generator or an async function cannot be checked", where=name, expected="return")
    return inspect.signature(function.forward if isinstance(function, torch.nn.Module) else function)


def crosses(*functions: Any) -> bool:
    """Whether functions compute with the arrays of tensors, which autograd does not follow."""
    nodes = [node for node, _ in map(definition_of, functions) if node is not None]
    parts = (part for node in nodes for part in ast.walk(node) if isinstance(part, ast.Attribute))
    return any(part.attr in CROSSINGS for part in parts)


class Context:
    """What autograd hands to both halves of a Function, in a program that is laid out: it keeps what it is given."""

    handgrad_copies = True

    def __init__(self, needs_input_grad: tuple[bool, ...]):
        """Start with nothing saved."""
        self.saved: list[Any] = []
        self.needs_input_grad = needs_input_grad

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for the backward half."""
        self.saved = list(tensors)

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What was kept."""
        return tuple(self.saved)

    def mark_dirty(self, *_tensors: Any) -> None:
        """Autograd's business alone, like the others."""

    mark_non_differentiable = set_materialize_grads = save_for_forward = mark_dirty


class Definitions:
    """The definitions of some functions, and of those that they call, in a namespace where each can be opened."""

    def __init__(self, namespace: dict[str, Any]):
        """Start with none."""
        self.namespace = namespace
        self.statements: list[Statement] = []
        self._names: dict[Any, str] = {}

    def add(self, function: Any, name: str, owners: list[str] | None = None) -> str | None:
        """Define a function under a name, as it is written where it can be; returns its name.

        Its first parameters are left out for the global names of `owners`, such as `self` and `ctx`; None where that
        cannot be, since it is not at hand how it is written.
        """
        inner = plain(function)
        if inner in self._names:
            return self._names[inner]
        node, file = definition_of(inner)
        if node is None or not isinstance(inner, FunctionType) or _has_to_stay(node):
            self.namespace[name] = inner
            return None if owners else name
        self._names[inner] = name
        node, code = copy.deepcopy(node), "".join(linecache.getlines(file))
        text = segment(code, node)
        others = dict(self._free(inner, node)) | _without_owners(node.args, owners or [])
        node = _Standing({free: other for free, other in others.items() if free != other}).visit(node)
        node.name = name
        node.decorator_list = []
        _give_places_to_keywords(node.args)
        self.statements.append(Statement(node, text, Place(file, node.lineno), code))
        return name

    def _free(self, function: FunctionType, node: ast.FunctionDef) -> Iterator[tuple[str, str]]:
        """The names that a body finds outside of itself, and what they are called here."""
        inside = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        for name in dict.fromkeys(n.id for n in ast.walk(node) if isinstance(n, ast.Name)):
            value = function.__globals__.get(name, _NOTHING)
            if name in inside:
                try:
                    value = inside[name].cell_contents
                except ValueError:  # not given a value yet
                    continue
            if value is _NOTHING or name in function.__code__.co_varnames:
                continue
            other = name
            while self.namespace.get(other, value) is not value or other in ("forward", "backward"):
                other += "_"
            if isinstance(value, FunctionType) and _is_users(value) and not hasattr(value, "__wrapped__"):
                other = self.add(value, other) or other
            self.namespace[other] = self.namespace.get(other, value)
            yield name, other


def _is_users(function: FunctionType) -> bool:
    return "site-packages" not in function.__code__.co_filename and not (function.__module__ or "").startswith("torch")


def _has_to_stay(node: ast.FunctionDef) -> bool:
    """Whether a function calls autograd, as one that computes its forward pass again does."""
    parts = [n for n in ast.walk(node) if isinstance(n, ast.Attribute)]
    named = {n.attr for n in parts} & {"enable_grad", "set_grad_enabled", "requires_grad_", "vjp"}
    return bool(named) or any(n.attr == "grad" and "autograd" in ast.unparse(n.value) for n in parts)


def _without_owners(arguments: ast.arguments, owners: list[str]) -> dict[str, str]:
    """Leave the first parameters out; what each is to be called."""
    first, arguments.args = arguments.args[: len(owners)], arguments.args[len(owners) :]
    return dict(zip((parameter.arg for parameter in first), owners, strict=False))


def _give_places_to_keywords(arguments: ast.arguments) -> None:
    """Parameters that are given by keyword alone become plain ones at the end."""
    if None not in arguments.kw_defaults and not arguments.vararg:
        arguments.args += arguments.kwonlyargs
        arguments.defaults += [default for default in arguments.kw_defaults if default is not None]
        arguments.kwonlyargs, arguments.kw_defaults = [], []


class _Standing(ast.NodeTransformer):
    """Other names for what a function finds outside, and no blocks of `torch.no_grad()`, which change no value."""

    def __init__(self, names: dict[str, str]):
        self.names = names

    def visit_Name(self, node):
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_Call(self, node):
        """What only turns a tensor into an array, or back."""
        self.generic_visit(node)
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in CROSSINGS or node.keywords:
            return node
        return node.args[0] if node.args else node.func.value

    def visit_With(self, node):
        self.generic_visit(node)
        calls = [item.context_expr for item in node.items]
        named = [ast.unparse(call.func).split(".")[-1] if isinstance(call, ast.Call) else "" for call in calls]
        return node.body if all(name in _GRADIENT_MODES for name in named) else node
