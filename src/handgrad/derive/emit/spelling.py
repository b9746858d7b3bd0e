"""Put in the names that a program has for its modules."""

import ast
import math
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

MODULES = {"F": "torch.nn.functional", "torch": "torch", "np": "numpy", "math": "math"}
"""The modules that derived text names, under its names for them."""


def spelled(source: str, values: Mapping[str, Any]) -> str:
    """Derived text in a program's own names for `torch`, `torch.nn.functional`, `numpy` and `math`.

    A module that the program has no name for has its full name; a number of `math` is then written out.

    Args:
        source: lines that name the modules `torch`, `F`, `np` and `math`.
        values: what the names of the program are.

    Example:
        >>> import torch
        >>> spelled("dx = math.log(2) * F.one_hot(y, num_classes=3) * dy", {"th": torch})
        'dx = 0.6931471805599453 * th.nn.functional.one_hot(y, num_classes=3) * dy'
    """
    names = _names(values)
    changes = dict(_changes(ast.parse(source), names, values))
    lines = source.encode().split(b"\n")
    for (row, start, end), text in sorted(changes.items(), reverse=True):
        line = lines[row - 1]
        lines[row - 1] = line[:start] + text.encode() + line[end:]
    return b"\n".join(lines).decode()


def _names(values: Mapping[str, Any]) -> dict[str, str]:
    """The program's name for each module, by the module's full name."""
    bound = {name: value for name, value in values.items() if isinstance(value, ModuleType)}
    names: dict[str, str] = {}
    for name, module in sorted(bound.items(), key=lambda item: (item[0] not in MODULES, item[0])):
        names.setdefault(module.__name__, name)
    torch = names.setdefault("torch", "torch")
    names.setdefault("torch.nn", f"{torch}.nn")
    names.setdefault("torch.nn.functional", f"{names['torch.nn']}.functional")
    names.setdefault("numpy", "numpy")
    return names


def _changes(
    tree: ast.AST, names: Mapping[str, str], values: Mapping[str, Any]
) -> Iterator[tuple[tuple[int, int, int], str]]:
    """What to put where: a row, where it starts and ends there, and the text."""
    if "math" not in names and isinstance(tree, ast.expr) and (number := _number(tree)) is not None:
        yield _place(tree), repr(number)
        return
    module = _module(tree, values)
    if module is not None and module in names:
        yield _place(tree), names[module]
        return
    for part in ast.iter_child_nodes(tree):
        yield from _changes(part, names, values)


def _place(node: Any) -> tuple[int, int, int]:
    return node.lineno, node.col_offset, node.end_col_offset


def _module(node: ast.AST, values: Mapping[str, Any]) -> str | None:
    """The full name of the module that an expression names; None where it names none."""
    match node:
        case ast.Name(name) if name in MODULES and isinstance(values.get(name, math), ModuleType):
            return MODULES[name]
        case ast.Attribute(ast.Attribute(ast.Name("torch"), "nn"), "functional"):
            return "torch.nn.functional"
    return None


def _number(node: ast.expr) -> float | None:
    """The number that an expression of numbers and of functions of `math` is; None where it is none of these."""
    used = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
    if not used or any(part.id != "math" for part in used):
        return None
    try:
        value = eval(compile(ast.Expression(node), "<number>", "eval"), {"math": math, "__builtins__": {}})
    except (ArithmeticError, TypeError, ValueError, AttributeError, NameError):
        return None
    return value if isinstance(value, int | float) else None
