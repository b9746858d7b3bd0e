"""Functions as they are written: their parameters, their files, their syntax trees."""

import ast
import inspect
import linecache
from collections.abc import Callable
from typing import Any

import torch

from handgrad.checker.guard import CheckError


def called(function: Any) -> str:
    """The name of a callable."""
    return getattr(function, "__name__", type(function).__name__)


def code_of(function: Any) -> Any:
    """The code of a function under its decorators; None where it has none."""
    while (inner := getattr(function, "func", None) or getattr(function, "__wrapped__", None)) is not None:
        function = inner
    if not hasattr(function, "__code__") and not hasattr(function, "__func__"):
        function = getattr(type(function), "forward", None) or inspect.getattr_static(
            type(function), "__call__", function
        )
    return getattr(getattr(function, "__func__", function), "__code__", None)


def files_of(*functions: Any) -> tuple[str, ...]:
    """The files that functions are written in."""
    codes = [code_of(function) for function in functions]
    return tuple(dict.fromkeys(code.co_filename for code in codes if code is not None))


def definition_of(function: Any) -> tuple[ast.FunctionDef | None, str]:
    """The syntax tree of a function, at its own line numbers, and its file; None where there is none."""
    code = code_of(function)
    text = "".join(linecache.getlines(code.co_filename)) if code is not None else ""
    try:
        nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef) and n.name == code.co_name]
    except (SyntaxError, ValueError, RecursionError, AttributeError):
        return None, ""
    first = {node: min([node.lineno, *(d.lineno for d in node.decorator_list)]) for node in nodes}
    found = [node for node in nodes if code.co_firstlineno in (first[node], node.lineno)]
    return (found[0], code.co_filename) if found else (None, "")


def signature_of(function: Callable) -> inspect.Signature:
    """The parameters of a function written in Python.

    Raises:
        CheckError: it is none.
    """
    name = getattr(function, "__name__", type(function).__name__)
    plain = inspect.unwrap(function) if callable(function) else function
    if inspect.isbuiltin(plain) or not callable(plain):
        raise CheckError("this is no function written in Python", where=name, next_step="Call it in a def.")
    if inspect.isgeneratorfunction(plain) or inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain):
        raise CheckError("a generator or an async function cannot be checked", where=name, expected="return")
    return inspect.signature(function.forward if isinstance(function, torch.nn.Module) else function)
