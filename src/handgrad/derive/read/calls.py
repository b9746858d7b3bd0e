"""What a piece of source calls: one name for each function however it is spelled, and its arguments by name.

A function is known by what it is, not by how it is written: `torch.tanh(x)`, `x.tanh()` and `from torch import tanh as
th; th(x)` are one, and a user's own function called `norm` is none of ours.
"""

import ast
import builtins
import functools
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handgrad.derive.read import items
from handgrad.derive.read.signatures import SIGNATURES
from handgrad.derive.read.spellings import NUMPY, OTHER_WORDS, QUALIFIED

OPERATORS: dict[type, str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "pow",
    ast.Mod: "remainder",
    ast.FloorDiv: "floor_divide",
    ast.MatMult: "matmul",
    ast.USub: "neg",
    ast.UAdd: "positive",
}
WITHOUT_EFFECT = frozenset(
    {"dtype", "out", "device", "inplace", "size_average", "copy", "optimize", "stable", "momentum"}
)
"""Keywords that change nothing about where a gradient goes."""
ATTRIBUTES = {"T": "t", "mT": "t_last", "H": "t", "mH": "t_last"}


@dataclass(frozen=True)
class Signature:
    """The arguments of a function with their defaults; `rest` is the one that takes all that is left."""

    name: str
    arguments: tuple[str, ...]
    defaults: Mapping[str, ast.expr]
    rest: str | None


@dataclass(frozen=True)
class Call:
    """A call: the function's name here, and the source of each argument; one that is left out has its default.

    An argument that takes all that is left (`view(2, 3)`) is an `ast.Tuple`, also where it was given as one.
    """

    name: str
    arguments: Mapping[str, ast.expr]
    node: ast.expr

    def __getitem__(self, argument: str) -> ast.expr:
        """The source of an argument."""
        return self.arguments[argument]


def call_of(node: ast.expr, values: Mapping[str, Any]) -> Call | None:
    """The call that an expression is; None where it is none of those that are known.

    Args:
        node: an expression: an operator, a call, an attribute such as `x.T`, or a subscript.
        values: what the names in it stand for; a method is known by the value that it is called on.

    Example:
        >>> import torch
        >>> node = ast.parse("x.sum(1, keepdims=True)", mode="eval").body
        >>> call = call_of(node, {"x": torch.ones(2, 3)})
        >>> call.name, {name: ast.unparse(value) for name, value in call.arguments.items()}
        ('sum', {'x': 'x', 'dim': '1', 'keepdim': 'True'})
    """
    match node:
        case ast.BinOp(left, op, right) if type(op) in OPERATORS:
            return _operated(op, [left, right], node)
        case ast.UnaryOp(op, operand) if type(op) in OPERATORS:
            return _operated(op, [operand], node)
        case ast.Subscript(value, index):
            return Call("getitem", {"x": value, "index": index}, node)
        case ast.Attribute(value, attr) if attr in ATTRIBUTES and is_array(evaluated(value, values)):
            return Call(ATTRIBUTES[attr], {"x": value}, node)
        case ast.Call(function, arguments, keywords):
            return _called(function, arguments, keywords, node, values)
    return None


def _operated(op: ast.operator | ast.unaryop, operands: list[ast.expr], node: ast.expr) -> Call:
    signature = _signatures("torch")[OPERATORS[type(op)]]
    return Call(signature.name, _bound(signature, operands, []) or {}, node)


def _called(
    function: ast.expr,
    arguments: list[ast.expr],
    keywords: list[ast.keyword],
    node: ast.expr,
    values: Mapping[str, Any],
) -> Call | None:
    if any(isinstance(a, ast.Starred) for a in arguments) or any(k.arg is None for k in keywords):
        return None
    given = list(arguments)
    if isinstance(function, ast.Attribute) and is_array(owner := evaluated(function.value, values)):
        kind = "numpy" if type(owner).__module__ == "numpy" else "torch"
        signature = _signatures(kind).get(function.attr) or _signatures("torch").get(function.attr)
        given.insert(0, function.value)
    else:
        signature = _functions().get(_key(evaluated(function, values)))
    if signature is None:
        return None
    if signature.name in ("setitem", "additem") and isinstance(given[1], ast.Subscript):
        given[1] = given[1].slice
    bound = _bound(signature, given, keywords)
    return None if bound is None else Call(signature.name, bound, node)


def _bound(signature: Signature, given: list[ast.expr], keywords: list[ast.keyword]) -> dict[str, ast.expr] | None:
    plain = [a for a in signature.arguments if a != signature.rest]
    bound = dict(zip(plain, given, strict=False))
    left = given[len(plain) :]
    if left and signature.rest is None:
        return None
    if signature.rest:
        whole = left[0] if len(left) == 1 and isinstance(left[0], ast.Tuple | ast.List) else None
        bound[signature.rest] = ast.Tuple(whole.elts if whole else left, ast.Load())
    for keyword in keywords:
        name = str(keyword.arg)
        if name not in signature.arguments:
            name = OTHER_WORDS.get(name, name)
        if name not in signature.arguments and f"{name}s" in signature.arguments:
            name = f"{name}s"
        if name not in signature.arguments and name in WITHOUT_EFFECT:
            continue
        if name not in signature.arguments or (name in bound and name != signature.rest):
            return None
        bound[name] = keyword.value
    for name in plain:
        if name not in bound:
            if name not in signature.defaults:
                return None
            bound[name] = signature.defaults[name]
    return bound


def evaluated(node: ast.expr, values: Mapping[str, Any]) -> Any:
    """The value of an expression; None where evaluating it raises."""
    expression = ast.fix_missing_locations(ast.Expression(node))
    try:
        return eval(compile(expression, "<forward>", "eval"), {"__builtins__": builtins}, dict(values))
    except Exception:  # whatever the user's expression raises: its value is not known
        return None


def is_array(value: Any) -> bool:
    """Whether the value is a tensor of PyTorch or an array (or a number) of NumPy."""
    return any(kind.__name__ in ("Tensor", "ndarray", "generic") for kind in type(value).__mro__)


def _parsed(line: str) -> tuple[Signature, list[str]]:
    text, _, aliases = line.partition(") = ")
    text = text.removesuffix(")") + ")"
    definition = ast.parse(f"def {text}: pass").body[0]
    assert isinstance(definition, ast.FunctionDef)
    names = [a.arg for a in definition.args.args]
    rest = definition.args.vararg.arg if definition.args.vararg else None
    tail = definition.args.defaults
    defaults = dict(zip(names[len(names) - len(tail) :], tail, strict=True))
    signature = Signature(definition.name, (*names, *([rest] if rest else [])), defaults, rest)
    return signature, [definition.name, *aliases.split()]


@functools.cache
def _signatures(library: str) -> dict[str, Signature]:
    table = SIGNATURES if library == "torch" else NUMPY
    found = {}
    for line in filter(None, table.split("\n")):
        signature, names = _parsed(line)
        found.update(dict.fromkeys(names, signature))
    return found


@functools.cache
def _functions() -> dict[Any, Signature]:
    """Every function of PyTorch and NumPy that has an entry, by what it is."""
    import math

    import numpy as np
    import torch
    from torch import special
    from torch.nn import functional

    torch_entries = _signatures("torch")
    numpy_entries = {**torch_entries, **_signatures("numpy")}
    found: dict[Any, Signature] = {items.setitem: torch_entries["setitem"]}
    found |= dict.fromkeys((items.additem, items.addat), torch_entries["additem"])
    for line in filter(None, QUALIFIED.split("\n")):
        path, _, definition = line.partition(": ")
        owner, _, name = path.rpartition(".")
        found[_key(getattr(importlib.import_module(owner), name))] = _parsed(definition)[0]
    for modules, entries in (
        ((torch, functional, special, torch.linalg, torch.Tensor), torch_entries),
        ((np, np.linalg), numpy_entries),
        ((math,), {n: torch_entries[n] for n in ("exp", "log", "sqrt", "tanh", "sin", "cos", "erf")}),
    ):
        for module in modules:
            for name, signature in entries.items():
                function = getattr(module, name, None)
                if callable(function):
                    found.setdefault(_key(function), signature)
    return found


def _key(function: Any) -> Any:
    try:
        hash(function)
    except TypeError:
        return None
    return function
