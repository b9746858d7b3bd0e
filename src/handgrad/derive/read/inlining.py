"""Find the source of a user's own function, and what its arguments stand for in a call."""

import ast
import functools
import inspect
import linecache
from collections.abc import Mapping
from types import FunctionType, MethodType
from typing import Any

from handgrad.derive.read.reader import Reader

_LIBRARIES = ("torch", "numpy", "math", "builtins", "itertools", "functools", "operator", "scipy")


def is_users(function: Any) -> bool:
    """Whether something that is called was written by the user: a function, a method, or an object that is called."""
    if isinstance(function, MethodType):
        function = function.__func__
    if isinstance(function, functools.partial):
        return is_users(function.func)
    if isinstance(function, FunctionType):
        return (function.__module__ or "").split(".")[0] not in _LIBRARIES
    if hasattr(function, "_parameters"):
        return True
    called = vars(type(function)).get("__call__")
    return isinstance(called, FunctionType) and is_users(called)


def body_of(
    function: Any, node: ast.expr, reader: Reader
) -> tuple[ast.FunctionDef | ast.Lambda, Mapping[str, Any], ast.expr | None]:
    """The definition of a function, the names it finds outside of itself, and the object it belongs to.

    Raises:
        DeriveError: its source is not at hand, or not that of a plain function.
    """
    owner: ast.expr | None = None
    if hasattr(function, "_parameters"):
        owner, function = node, type(function).forward
    elif isinstance(function, MethodType):
        owner = node.value if isinstance(node, ast.Attribute) else None
        if owner is None:
            owner = ast.Name(reader.names.fresh("self"), ast.Load())
            reader.values[owner.id] = function.__self__
        function = function.__func__
    elif not isinstance(function, FunctionType):
        owner, function = node, type(function).__call__
    function = inspect.unwrap(function)
    definition = definition_of(function)
    if definition is None:
        raise reader.refusal(
            f"the source of {getattr(function, '__name__', function)}() is not at hand", "Write its lines out."
        )
    if isinstance(definition, ast.FunctionDef) and any(
        isinstance(part, ast.Yield | ast.YieldFrom | ast.Global | ast.Nonlocal) for part in ast.walk(definition)
    ):
        raise reader.refusal(f"{definition.name}() is no plain function", "Write its lines out.")
    closure = inspect.getclosurevars(function).nonlocals if function.__closure__ else {}
    return definition, {**function.__globals__, **closure}, owner


def definition_of(function: FunctionType) -> ast.FunctionDef | ast.Lambda | None:
    """The syntax tree of a function, its line numbers those of its file; None where there is no source."""
    code = function.__code__
    names = list(code.co_varnames[: code.co_argcount])
    same = [
        node
        for node in _functions_in("".join(linecache.getlines(code.co_filename, function.__globals__)))
        if getattr(node, "name", "<lambda>") == code.co_name
        and min(n.lineno for n in (node, *getattr(node, "decorator_list", []))) == code.co_firstlineno
        and [a.arg for a in (*node.args.posonlyargs, *node.args.args)] == names
    ]
    return same[0] if len(same) == 1 else None


@functools.lru_cache(16)
def _functions_in(text: str) -> list[ast.FunctionDef | ast.Lambda]:
    """All functions that a file defines."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]


def bound_arguments(
    function: Any, definition: ast.FunctionDef | ast.Lambda, node: ast.Call, owner: ast.expr | None, reader: Reader
) -> dict[str, ast.expr]:
    """The expression for each parameter of a function in a call.

    Raises:
        DeriveError: the call does not fit the parameters, or hands over what cannot be followed.
    """
    plain = function.forward if hasattr(function, "_parameters") else function
    if not isinstance(plain, FunctionType | MethodType):
        plain = plain.__call__
    signature = inspect.signature(plain)
    try:
        bound = signature.bind(*node.args, **{str(k.arg): k.value for k in node.keywords})
    except TypeError as error:
        raise reader.refusal(f"TypeError: {error}", "Look at the arguments.") from error
    found: dict[str, ast.expr] = {}
    for name, parameter in signature.parameters.items():
        value = bound.arguments.get(name)
        if parameter.kind is parameter.VAR_POSITIONAL:
            found[name] = ast.Tuple(list(value or ()), ast.Load())
        elif parameter.kind is parameter.VAR_KEYWORD:
            words = value or {}
            found[name] = ast.Dict([ast.Constant(k) for k in words], list(words.values()))
        elif value is not None:
            found[name] = value
        else:
            found[name] = as_expression(parameter.default, name, reader)
    if owner is not None:
        found[definition.args.args[0].arg] = owner
    return found


def as_expression(value: Any, wanted: str, reader: Reader) -> ast.expr:
    """An expression for a value: a constant, or a name that is given to it."""
    if isinstance(value, bool | int | float | str | None):
        return ast.Constant(value)
    name = reader.names.fresh(wanted)
    reader.values[name] = value
    return ast.Name(name, ast.Load())
