"""The backward pass of a function, as a function."""

import ast
import inspect
import itertools
import linecache
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from handgrad.derive import Form, Style
from handgrad.derive.derivation import Derivation, write_and_check
from handgrad.derive.placing import exchanged, in_words
from handgrad.derive.prove import Proof, prove
from handgrad.derive.quoting import quoted
from handgrad.derive.read.program import Line, Program
from handgrad.derive.read.statements import read_function
from handgrad.derive.read.steps import names_made
from handgrad.errors import DeriveError

_NUMBERS = itertools.count(1)


def derive_function(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any] = MappingProxyType({}),
    *,
    form: Form = "lines",
    of: str | None = None,
    names: Sequence[str] | None = None,
    style: Style | None = None,
) -> "FunctionDerivation":
    """Derive the backward pass of a function; see `handgrad.derive`."""
    program = read_function(function, *args, **kwargs)
    if of is not None:
        program = replace(program, output=_made(program, of))
    if names is not None:
        if unknown := [name for name in names if name not in program.inputs]:
            known = ", ".join(program.inputs)
            raise DeriveError(f"no float tensor is called {unknown[0]!r}", where="with_respect_to", expected=known)
        program = replace(program, inputs=tuple(n for n in program.inputs if n in names))
    lines, verification = write_and_check(program, form, style, _by_itself(program))
    return FunctionDerivation(program, lines, form, verification, function)


def prove_for_function(
    expression: str, function: Callable[..., Any], args: Sequence[Any], gradient_of: str, of: str | None = None
) -> Proof:
    """Compare a formula with the right gradient; see `handgrad.derive.prove`."""
    program = read_function(function, *args)
    last = {program.renamed.get(target, target): target for target, _ in program.makers()}
    words = {name: target for name, target in last.items() if name != target}
    gradients = {f"d{name}_before": name for name in words} | {f"d{name}": last for name, last in words.items()}
    end = _made(program, of) if of is not None else None
    return prove(exchanged(expression, words), program, last.get(gradient_of, gradient_of), end, gradients=gradients)


def _by_itself(program: Program) -> Program:
    """The program as it runs in the function that is made of it: in the names of single assignment."""
    lines = [replace(line, text=line.source) if isinstance(line, Line) else line for line in program.lines]
    return replace(program, lines=tuple(lines), renamed={})


def _made(program: Program, name: str) -> str:
    """The last value that the function gives a name."""
    made = [target for target, _ in program.makers() if program.renamed.get(target, target) == name]
    if not made:
        raise DeriveError(f"the function makes no float tensor called {name!r}", where="of")
    return made[-1]


@dataclass(frozen=True, repr=False)
class FunctionDerivation(Derivation):
    """A derivation whose source is a complete function: it takes the upstream gradient and what `function` takes."""

    function: Callable[..., Any]

    @property
    def source(self) -> str:
        """The function."""
        return self._function(self.written.source)

    def quoted(self) -> str:
        """The function, with the forward line that each line undoes beside it."""
        return self._function(quoted(self.written))

    @cached_property
    def backward(self) -> Callable[..., Any]:
        """The function itself: it takes tensors of any sizes and dtypes."""
        file = f"<derived {next(_NUMBERS)}>"
        namespace = _namespace(self.function, self.program)
        linecache.cache[file] = (len(self.source), None, self.source.splitlines(keepends=True), file)
        exec(compile(self.source, file, "exec"), namespace)
        return namespace["backward"]

    def _function(self, lines: str) -> str:
        forward = _needed(self.written.below or self.program, lines)
        parameters = [*filter(None, [self.written.upstream]), *self._parameters([*forward, lines])]
        gradients = [self.written.gradients.get(n, f"torch.zeros_like({n})") for n in self.program.inputs]
        recomputed = [line for line in forward if line not in self.written.recomputed]
        body = "\n\n".join(filter(None, ["\n".join(recomputed), lines]))
        body += f"\nreturn {', '.join(gradients)}"
        return f"def backward({', '.join(parameters)}):\n{textwrap.indent(body, '    ')}"

    def _parameters(self, lines: Sequence[str]) -> list[str]:
        """What the function takes that the lines read, in its order; then the tensors that it finds or draws."""
        read = {*itertools.chain(*map(_names, lines)), *self.program.inputs}
        plain = getattr(self.function, "forward", self.function) if _is_module(self.function) else self.function
        taken = inspect.signature(plain).parameters
        own = [n for n in taken if n in self.program.before and n in read]
        elsewhere = (*self.program.inputs, *self.program.bindings, *self.program.drawn)
        found = [n for n in elsewhere if n in read and n not in own]
        if found:
            return [*own, *dict.fromkeys(found)]
        return [f"{n}={taken[n].default!r}" if _is_plain(taken[n].default) else n for n in own]


def _needed(program: Program, lines: str) -> list[str]:
    """The forward lines that make what the backward pass reads."""
    needed, found = _names(lines), []
    for line in reversed(tuple(in_words(program.lines, {}))):
        if needed & set(names_made([line])):
            found.append(line.source)
            needed |= _names(found[-1])
    return found[::-1]


def _is_plain(default: Any) -> bool:
    """Whether a default is a number or a word, which can be written out."""
    return isinstance(default, bool | int | float | str)


def _names(source: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def _is_module(function: Any) -> bool:
    return hasattr(function, "_parameters")


def _namespace(function: Any, program: Program) -> dict[str, Any]:
    """What the function finds around it, and what derived lines call."""
    plain = inspect.unwrap(getattr(function, "__func__", function))
    around: Mapping[str, Any] = getattr(plain, "__globals__", {})
    own = {n: around[n] for n in program.before if n in around}
    return {"math": math, **_libraries(program.library), **program.before, **own}


def _libraries(library: str) -> dict[str, Any]:
    import numpy as np

    if library == "numpy":
        return {"np": np}
    import torch
    from torch.nn import functional

    return {"torch": torch, "F": functional, "np": np}
