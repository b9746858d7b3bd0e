"""Give every value a name to print: the user's own, and a readable one where the user assigned a name again."""

import ast
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from handgrad.derive.read.program import Line, Loop, Store
from handgrad.derive.read.reader import Reader
from handgrad.derive.read.terms import name_of

Step = Line | Loop | Store


def final_names(reader: Reader, active: Collection[str]) -> dict[str, str]:
    """A name to print for each name with a serial number.

    The first value of a name keeps the user's name for it, and later ones are numbered from 2: `x`, `x2`. A constant
    ahead of values that depend on the inputs is numbered 0 and leaves them the name: `loss0 = 0`. Names in functions
    come after the program's own.

    Args:
        reader: what was read.
        active: the names with serial numbers that depend on an input.
    """
    found: dict[str, str] = {}
    taken = set(reader.taken) | {made.base for made in reader.made.values() if made.own}
    bases: dict[str, list[str]] = {}
    for name, made in reader.made.items():
        if made.own:
            bases.setdefault(made.base, []).append(name)
    for base, names in bases.items():
        if base in reader.values or (base in reader.namespace and _reads(reader, base)):
            plain = None
        else:
            plain = next((name for name in names if name in active), names[0])
        for name in names:
            if name == plain:
                found[name] = base
            elif plain and name not in active and f"{base}0" not in taken:
                found[name] = _numbered(base, taken, 0)
            else:
                found[name] = _numbered(base, taken, 2)
    for name, made in reader.made.items():
        if not made.own:
            found[name] = made.base if made.base not in taken else _numbered(made.base, taken, 2)
            taken.add(found[name])
    return found


def _reads(reader: Reader, base: str) -> bool:
    return base in reader.values


def _numbered(base: str, taken: set[str], count: int) -> str:
    joint = "_" if base[-1].isdigit() else ""
    while f"{base}{joint}{count}" in taken:
        count += 1
    taken.add(f"{base}{joint}{count}")
    return f"{base}{joint}{count}"


class _Renaming(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str]):
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return name_of(self.names.get(node.id, node.id))

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """A copy, since parts of expressions are shared."""
        made = type(node)(**{field: self._part(value) for field, value in ast.iter_fields(node)})
        return ast.copy_location(made, node) if hasattr(node, "lineno") else made

    def _part(self, value: object) -> object:
        if isinstance(value, list):
            return [self._part(part) for part in value]
        return self.visit(value) if isinstance(value, ast.AST) else value


def renamed_expression(node: ast.expr, names: Mapping[str, str]) -> ast.expr:
    """An expression with other names in it, as a copy."""
    return _Renaming(names).visit(node)


def renamed_steps(steps: Iterable[Step], names: Mapping[str, str]) -> list[Step]:
    """Lines and loops under other names."""
    found: list[Step] = []
    for step in steps:
        if isinstance(step, Line):
            targets = tuple(names.get(t, t) for t in step.targets)
            found.append(replace(step, targets=targets, value=renamed_expression(step.value, names)))
    return found


def names_in(node: ast.AST) -> set[str]:
    """The names in an expression."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
