"""Read a function of tensors: its arguments are what it starts from, what it returns is what it makes."""

import ast
import functools
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any

from handgrad.derive.read import blocks, expressions
from handgrad.derive.read.agreeing import check, own_result
from handgrad.derive.read.finishing import finished
from handgrad.derive.read.program import Program
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.running import float64, has_float, quietly
from handgrad.derive.read.sources import source_of
from handgrad.derive.read.terms import Frame, Parts, Term
from handgrad.errors import DeriveError


def read_function(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Program:
    """Read a function, called with these arguments, as a program.

    The float tensors among the arguments are the inputs: those that require gradients, or all of them where none does;
    those in lists, dicts and objects too, and those that the function finds outside, as a module's parameters. What it
    returns is the output; where it returns several, `outputs` has all of them and `output` is the first.

    Args:
        function: a function of Python whose source can be found: plain, decorated, a lambda, a method, or a module.
        args: its positional arguments.
        kwargs: its arguments by name.

    Raises:
        DeriveError: a line cannot be read, or raises.

    Example:
        >>> import torch
        >>> def layer(x, W, b):
        ...     h = x @ W + b
        ...     return torch.tanh(h), h
        >>> program = read_function(layer, torch.ones(4, 3), torch.ones(3, 2), torch.ones(2))
        >>> print(program.source, program.inputs, program.outputs)
        h = x @ W + b
        out_0 = torch.tanh(h) ('x', 'W', 'b') ('out_0', 'h')
    """
    called, first = _unwrapped(function)
    source = source_of(called)
    if source is None:
        name = getattr(function, "__name__", type(function).__name__)
        raise DeriveError(
            f"the source of '{name}' cannot be found", next_step="Write the function in a file or a notebook."
        )
    given = _arguments(called, [*first, *args], kwargs)
    words = {name: _word(name, function) for name in given}
    arguments = {words[name]: value for name, value in given.items()}
    namespace = {**called.__globals__, **_closed(called), **arguments}
    reader = Reader(namespace)
    reader.taken = set(arguments) | {n.id for part in source.body for n in ast.walk(part) if isinstance(n, ast.Name)}
    frame = Frame(reader.from_namespace, source.text)
    reader.frames.append(frame)
    frame.statement = source.body[0]
    with quietly(), float64():
        for name, word in words.items():
            frame.scope[name] = reader.from_namespace(word)
        for name, parameter in inspect.signature(called, follow_wrapped=False).parameters.items():
            if name not in given and parameter.default is not parameter.empty:
                frame.scope[name] = reader.outside(name, parameter.default, f"{called.__name__}.__defaults__")
        reader.draws.begin()
        if isinstance(source.node, ast.Lambda):
            result: Term | None = expressions.expression(reader, source.node.body)
        else:
            result = blocks.block(reader, source.body)
        tensors = _tensors(result)
        program = finished(reader, None, tensors, arguments)
    own = _flat(own_result(called, given)) if not _is_variadic(source.arguments) else []
    found = {name: term.value for name, term in zip(program.outputs, tensors, strict=True)}
    check(found, dict(zip(found, own, strict=False)), reader.values.values())
    return program


def _unwrapped(function: Callable[..., Any]) -> tuple[types.FunctionType, list[Any]]:
    """The plain function that a call runs, and the arguments that come ahead of the given ones."""
    first: list[Any] = []
    called: Any = function
    while not isinstance(called, types.FunctionType) or hasattr(called, "__wrapped__"):
        if isinstance(called, types.FunctionType):
            called = inspect.unwrap(called)
        elif isinstance(called, types.MethodType):
            first.insert(0, called.__self__)
            called = called.__func__
        elif isinstance(called, functools.partial) and not called.keywords:
            first = [*called.args, *first]
            called = called.func
        elif hasattr(type(called), "forward"):
            first.insert(0, called)
            called = type(called).forward
        elif isinstance(getattr(type(called), "__call__", None), types.FunctionType):  # noqa: B004
            first.insert(0, called)
            called = type(called).__call__
        elif hasattr(called, "__wrapped__"):
            called = called.__wrapped__
        else:
            raise DeriveError(
                f"'{getattr(called, '__name__', called)}' is no function of Python",
                next_step="Write a function that calls it.",
            )
    return called, first


def _word(parameter: str, function: Callable[..., Any]) -> str:
    """What an argument is called: a module that is called is a model, and no 'self'."""
    return "model" if parameter == "self" and not isinstance(function, types.MethodType) else parameter


def _arguments(called: types.FunctionType, args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    try:
        bound = inspect.signature(called, follow_wrapped=False).bind(*args, **kwargs)
    except TypeError as error:
        raise DeriveError(f"'{called.__name__}' cannot be called so: {error}") from error
    return dict(bound.arguments)


def _closed(called: types.FunctionType) -> dict[str, Any]:
    """What a function's closure holds, by name."""
    found: dict[str, Any] = {}
    for name, cell in zip(called.__code__.co_freevars, called.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue
    return found


def _is_variadic(arguments: ast.arguments) -> bool:
    return bool(arguments.vararg or arguments.kwarg or arguments.posonlyargs)


def _flat(value: Any) -> list[Any]:
    """The tensors in what a function returned."""
    if isinstance(value, list | tuple | dict):
        return [t for part in (value.values() if isinstance(value, dict) else value) for t in _flat(part)]
    return [value] if has_float(value) else []


def _tensors(result: Term | None) -> list[Term]:
    """The float tensors that a function returns, in lists and dicts too."""
    if isinstance(result, Parts):
        parts = result.parts.values() if isinstance(result.parts, Mapping) else result.parts
        return [term for part in parts for term in _tensors(part)]
    return [result] if result is not None and has_float(result.value) else []
