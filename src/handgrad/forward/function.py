"""A function of a file or module, and what to call it with: as told, as the program does, or as it is annotated."""

import ast
import contextlib
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from handgrad.checker.guard import said
from handgrad.checker.read.local_modules import importable
from handgrad.checker.read.source import Source
from handgrad.checker.run.limits import TimeIsUp, time_limit
from handgrad.checker.run.machine import ProgramEnds, UserError, compile_statement, user_error
from handgrad.errors import ConfigError, DeriveError
from handgrad.forward.program import RAISED, contained, machine_for, read_program_file

SIZES = (5, 7, 3, 4, 6, 8, 9, 11, 13, 17)
"""For the dimensions that annotations name, in order: small, and different from each other."""


@dataclass(frozen=True)
class Given:
    """What the user says of a function's arguments: shapes of floats, and Python expressions."""

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    expressions: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def parse(shapes: Sequence[str], expressions: Sequence[str]) -> "Given":
        """From `NAME=32,10` and `NAME=EXPRESSION`.

        >>> Given.parse(["x=32,10", "s="], ["k=2"])
        Given(shapes={'x': (32, 10), 's': ()}, expressions={'k': '2'})
        """
        sized = dict(_split(text, "--shape", "NAME=32,10") for text in shapes)
        for name, text in sized.items():
            if not all(size.strip().isdecimal() for size in text.split(",") if text):
                raise ConfigError("this is no shape", where="--shape", got=f"{name}={text}", expected="NAME=32,10")
        sizes = {name: tuple(int(size) for size in text.split(",") if text) for name, text in sized.items()}
        return Given(sizes, dict(_split(text, "--arg", "NAME=EXPRESSION") for text in expressions))

    def values(self) -> dict[str, Any]:
        """The values, drawn or evaluated."""
        found: dict[str, Any] = {name: torch.randn(shape) for name, shape in self.shapes.items()}
        words = {"torch": torch, "F": functional, "np": np}
        for name, text in self.expressions.items():
            try:
                found[name] = eval(text, words)
            except Exception as error:
                raise ConfigError(said(error), where=f"--arg {name}={text}") from None
        return found


def _split(text: str, option: str, expected: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ConfigError("this names no argument", where=option, got=text, expected=expected)
    return name, value


class _CalledError(BaseException):
    """Leaves the program once it calls the function."""


def function_of_file(
    path: Path, name: str, given: Given, *, data: Path | None = None, timeout: float | None = 60.0
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """A function that a script or a notebook defines, and what it is called with, by parameter.

    What is not given is taken from the program's own first call of it, up to which the program is run.

    Raises:
        SourceError: the file cannot be read.
        DeriveError: it defines no such function, or does not call it and not all that it needs is given.
    """
    source = read_program_file(path)
    machine = machine_for(path, data)
    if not _is_called(name, source):
        machine.namespace["__name__"] = path.stem
    errors: list[UserError] = []
    function: Any = None
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def caught(*args: Any, **kwargs: Any) -> None:
        calls.append((args, kwargs))
        raise _CalledError

    with contained(source), contextlib.suppress(TimeIsUp, ProgramEnds), time_limit(timeout):
        for statement in source.statements:
            try:
                machine.run(compile_statement(statement.node, statement.place.unit))
            except (TimeIsUp, ProgramEnds):
                raise
            except Exception as error:
                if calls:
                    break
                errors.append(user_error(error, statement))
            if (made := machine.namespace.get(name)) is not caught and callable(made):
                function, machine.namespace[name] = made, caught
    if function is None:
        if errors:
            raise DeriveError(errors[0].message, where=f"{path}, {errors[0].place}", next_step=RAISED)
        raise DeriveError(f"no function is called {name!r}", where=path)
    machine.namespace[name] = function
    return function, _arguments(function, name, given, *(calls[0] if calls else ((), {})))


def _is_called(name: str, source: Source) -> bool:
    """Whether a program calls a function somewhere; where it does not, it is only imported."""
    nodes = [node for statement in source.statements for node in ast.walk(statement.node)]
    return any(isinstance(node, ast.Call) and getattr(node.func, "id", "") == name for node in nodes)


def function_of_module(module: str, name: str, given: Given) -> tuple[Callable[..., Any], dict[str, Any]]:
    """A function that a module defines, and what it is called with.

    Raises:
        DeriveError: there is no such module or function, or not all that it needs is given.
    """
    with importable(Path.cwd()):
        try:
            found = importlib.import_module(module)
        except Exception as error:
            raise DeriveError(said(error), where=module) from error
    function = getattr(found, name, None)
    if not callable(function):
        raise DeriveError(f"no function is called {name!r}", where=module)
    return function, _arguments(function, name, given, (), {})


def _arguments(
    function: Callable[..., Any], name: str, given: Given, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    signature = inspect.signature(function)
    told = given.values()
    if unknown := [n for n in told if n not in signature.parameters]:
        raise ConfigError(f"{name} takes no {unknown[0]!r}", expected=", ".join(signature.parameters))
    found = {**signature.bind_partial(*args, **kwargs).arguments, **told}
    sizes: dict[str, int] = {}
    missing = []
    for word, parameter in signature.parameters.items():
        if word in found or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        drawn = annotated(parameter.annotation, sizes)
        if drawn is not None:
            found[word] = drawn
        elif parameter.default is parameter.empty:
            missing.append(word)
    if missing:
        what = f"it is not known what {name} is called with: {', '.join(missing)}"
        say = f"Say --shape {missing[0]}=32,10 for a tensor of floats, or --arg {missing[0]}='torch.arange(5)'."
        raise DeriveError(what, next_step=say)
    return {word: found[word] for word in signature.parameters if word in found}


def annotated(annotation: Any, sizes: dict[str, int]) -> torch.Tensor | None:
    """A tensor as jaxtyping annotates it, each named dimension of a size of its own; None where it annotates none.

    >>> from jaxtyping import Float, Int
    >>> annotated(Float[torch.Tensor, "n d 2"], sizes := {}).shape, sizes
    (torch.Size([5, 7, 2]), {'n': 5, 'd': 7})
    >>> annotated(int, sizes) is None
    True
    """
    words, dtypes = getattr(annotation, "dim_str", None), getattr(annotation, "dtypes", ())
    if words is None:
        return None
    shape = [_size(word.lstrip("#*?_"), sizes) for word in words.split() if word != "..."]
    if any("float" in str(dtype) for dtype in dtypes):
        return torch.randn(shape)
    if any("int" in str(dtype) for dtype in dtypes):
        return torch.randint(0, min([*sizes.values(), SIZES[0]]), shape)
    return torch.rand(shape) > 0.5


def _size(word: str, sizes: dict[str, int]) -> int:
    if word.isdecimal():
        return int(word)
    if word.isidentifier():
        return sizes.setdefault(word, SIZES[len(sizes) % len(SIZES)])
    return int(eval(word, {}, dict(sizes)))
