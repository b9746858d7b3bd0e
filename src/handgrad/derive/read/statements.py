"""Read forward lines, or a function, into a program: run once in float64, every value under a name of its own."""

import ast
import inspect
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from handgrad.derive.read.blocks import Blocks
from handgrad.derive.read.names import Names, Scope
from handgrad.derive.read.program import Line, Program
from handgrad.derive.read.reader import Reader, in_float64, is_float
from handgrad.errors import DeriveError


def read_program(
    source: str, before: Mapping[str, Any], *, inputs: Sequence[str] | None = None, output: str | None = None
) -> Program:
    """Run forward lines and read them into single assignment.

    Args:
        source: the lines, without indentation.
        before: what every name in them is before they run; float tensors and arrays are taken in float64.
        inputs: the names to differentiate by; where it is left out, those that require gradients, and where none
            does, every float tensor that the lines read.
        output: the name whose gradient the backward pass starts from; where it is left out, that of the last line.

    Raises:
        DeriveError: a line cannot be read, or raises.
    """
    tree = ast.parse(source)
    values = {name: in_float64(value) for name, value in before.items()}
    read = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    floats = [n for n, v in before.items() if n in read and is_float(v)]
    wanting = [n for n in floats if getattr(before[n], "requires_grad", False)]
    chosen = list(inputs) if inputs is not None else wanting or floats
    reader = Reader(values, Names(values), set(chosen), leaves=list(chosen), anything=inputs is None and not wanting)
    start = dict(values)
    scope = Scope(values, reader.names)
    with undisturbed():
        reader.has_drawn()
        Blocks(reader).run(tree.body, scope, source)
    if not any(name in reader.active for line in reader.lines if isinstance(line, Line) for name in line.targets):
        raise DeriveError("no line computes with a float tensor", expected="lines such as 'y = x @ w'")
    last = scope.meanings.get(output) if output else None
    if output and not (isinstance(last, ast.Name) and last.id in reader.active):
        raise DeriveError(f"no line makes {output!r} of float tensors", next_step="Name one that the lines make.")
    return _program(reader, start, last.id if isinstance(last, ast.Name) else _last(reader), ())


def read_function(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Program:
    """Read a function of tensors, called with these arguments, into single assignment.

    Args:
        function: a Python function, method or module, whose source is at hand; it returns a tensor, or several.
        args: what it is called with; each float tensor among them, in lists, dicts and objects too, is an input.
        kwargs: the same by name.

    Raises:
        DeriveError: its source is not at hand, or a line cannot be read or raises.

    Example:
        >>> import torch
        >>> read_function(lambda x, w: (x * w).sum(), torch.ones(3), torch.ones(3)).outputs
        ('out',)
    """
    reader = Reader({}, Names(()), set(), anything=True)
    plain = getattr(function, "forward", function) if hasattr(function, "_parameters") else function
    name = getattr(function, "__name__", type(function).__name__)
    reader.written.append((f"{name}(...)", 0))
    try:
        bound = inspect.signature(plain).bind(*args, **kwargs)
    except (TypeError, ValueError) as error:
        raise DeriveError(f"{name}(): {error}", next_step="Give it the arguments that it is called with.") from error
    words = {word: _argument(given, word, reader) for word, given in bound.arguments.items()}
    call = ast.Call(_callee(function, name, reader), *_as_arguments(plain, words))
    start = dict(reader.values)
    with undisturbed():
        reader.has_drawn()
        ended = Blocks(reader).called(call)
        if ended.node is None:
            raise DeriveError(f"{name}() returns nothing", expected="a float tensor")
        reader.written.append((ended.text, ended.number))
        outputs = _outputs(ended.node, reader)
    if not outputs:
        raise DeriveError(f"{name}() returns no float tensor that depends on its arguments")
    return _program(reader, start, outputs[0], outputs)


def _callee(function: Callable[..., Any], name: str, reader: Reader) -> ast.expr:
    """The function as an expression, a method as an attribute of its object."""
    owner = getattr(function, "__self__", None)
    if owner is None or isinstance(owner, type(ast)):
        word = name if name.isidentifier() else "function"
        return ast.Name(reader.bound("model" if hasattr(function, "_parameters") else word, function), ast.Load())
    return ast.Attribute(ast.Name(reader.bound("self", owner), ast.Load()), name, ast.Load())


def _argument(given: Any, word: str, reader: Reader) -> ast.expr:
    """What an argument is called: after its parameter, or a tuple of such where it takes several."""
    if isinstance(given, tuple | list) and any(map(is_float, given)):
        parts = [_argument(part, f"{word}_{k}", reader) for k, part in enumerate(given)]
        return ast.Tuple(parts, ast.Load()) if isinstance(given, tuple) else ast.List(parts, ast.Load())
    if isinstance(given, bool | str | None):
        return ast.Constant(given)
    name = reader.bound(word, in_float64(given))
    if is_float(given):
        reader.active.add(name)
        reader.leaves.append(name)
    return ast.Name(name, ast.Load())


def _as_arguments(plain: Callable[..., Any], words: dict[str, ast.expr]) -> tuple[list[ast.expr], list[ast.keyword]]:
    given: list[ast.expr] = []
    named: list[ast.keyword] = []
    for word, parameter in inspect.signature(plain).parameters.items():
        if word not in words:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            given += getattr(words[word], "elts", [])
        elif parameter.kind is parameter.KEYWORD_ONLY or named or len(given) < list(words).index(word):
            named.append(ast.keyword(word, words[word]))
        elif parameter.kind is not parameter.VAR_KEYWORD:
            given.append(words[word])
    return given, named


def _outputs(node: ast.expr, reader: Reader) -> tuple[str, ...]:
    parts = node.elts if isinstance(node, ast.Tuple | ast.List) else [node]
    found: list[str] = []
    for k, part in enumerate(parts):
        if reader.reached(part) and is_float(reader.evaluate(part)):
            wanted = "out" if len(parts) == 1 else f"out_{k}"
            named = reader.named(part, wanted)
            if isinstance(named, ast.Name) and named.id in reader.leaves:
                named = ast.Name(reader.line([wanted], named, None)[0], ast.Load())
            assert isinstance(named, ast.Name)
            found.append(named.id)
    return tuple(found)


def _last(reader: Reader) -> str:
    line = reader.lines[-1]
    assert isinstance(line, Line)
    return next((n for n in reversed(line.targets) if n in reader.active), line.targets[-1])


def _program(reader: Reader, start: dict[str, Any], output: str, outputs: tuple[str, ...]) -> Program:
    used = {n.id for k in reader.lines if isinstance(k, Line) for n in ast.walk(k.value) if isinstance(n, ast.Name)}
    inputs = tuple(n for n in dict.fromkeys(reader.leaves) if n in used)
    library = "numpy" if any(type(reader.values[n]).__module__ == "numpy" for n in inputs) else "torch"
    before = {**start, **{n: reader.values[n] for n in reader.bindings}}
    made = {n for line in reader.lines if isinstance(line, Line) for n in line.targets}
    before |= {n: v for n, v in reader.values.items() if n not in before and n not in made}
    return Program(
        tuple(reader.lines),
        inputs,
        output,
        reader.values,
        before,
        {n: w for n, w in reader.names.renamed.items() if n in reader.values},
        library,
        outputs or (output,),
        reader.bindings,
        tuple(reader.drawn),
        tuple(reader.notes),
    )


@contextmanager
def undisturbed() -> Iterator[None]:
    """Floats are float64 where nothing else is said, and the random generators are afterwards where they were."""
    import numpy as np
    import torch

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002 - the user's own
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_default_dtype(dtype)
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])
