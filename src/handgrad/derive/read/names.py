"""Names of single assignment: each value has one, the user's own wherever it is free."""

import ast
import builtins
import keyword
from collections.abc import Iterable, Mapping
from typing import Any


class Names:
    """Names that stand for values; `renamed` is the user's name for each that had to be another."""

    def __init__(self, taken: Iterable[str]):
        """Names that are `taken` are given to nothing else."""
        self.taken = {*taken, *keyword.kwlist}
        self.renamed: dict[str, str] = {}

    def fresh(self, wanted: str) -> str:
        """A name for a new value: the wanted one, or `x2`, `x3`, ... where it is taken."""
        name, number = wanted, 1
        while name in self.taken:
            number += 1
            name = f"{wanted}_{number}" if wanted[-1].isdigit() else f"{wanted}{number}"
        self.taken.add(name)
        if name != wanted:
            self.renamed[name] = wanted
        return name


class Scope:
    """What the names in a function's or a program's source stand for, each as an expression of the names of values.

    A name that is not among them is looked up in `outer`, as Python does in the globals; `bind` gives what is found
    there a name of its own.
    """

    def __init__(self, values: dict[str, Any], names: Names, outer: Mapping[str, Any] | None = None):  # noqa: D107
        self.values, self.names, self.outer = values, names, outer
        self.meanings: dict[str, ast.expr] = {}

    def meaning(self, name: str) -> ast.expr:
        """The expression that a name stands for."""
        if name not in self.meanings:
            if self.outer is None or name not in self.outer:
                return ast.Name(name, ast.Load())
            self.meanings[name] = ast.Name(self.bound(name, self.outer[name]), ast.Load())
        return self.meanings[name]

    def bound(self, wanted: str, value: Any) -> str:
        """A name for a value that is no tensor of the pass: the wanted one, if it stands for the value already."""
        if wanted in self.values and self.values[wanted] is value:
            return wanted
        name = self.names.fresh(wanted)
        self.values[name] = value
        return name

    def expressed(self, node: ast.expr) -> Any:
        """An expression of the source in names of values; a list or a dict that a name stands for is that very one."""
        return _Renaming(self, set()).visit(copied(node))


class _Renaming(ast.NodeTransformer):
    def __init__(self, scope: Scope, hidden: set[str]):
        self.scope, self.hidden = scope, hidden

    def visit_Name(self, node: ast.Name) -> ast.expr:
        known = isinstance(node.ctx, ast.Load) and node.id not in self.hidden
        if not known or _is_builtin(node.id, self.scope):
            return node
        meaning = self.scope.meaning(node.id)
        return meaning if isinstance(meaning, ast.List | ast.Dict) else copied(meaning)

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        return self._hiding(node, {a.arg for a in (*node.args.args, *node.args.kwonlyargs)})

    def visit_ListComp(self, node: ast.ListComp) -> ast.expr:
        return self._hiding(node, targets_of(node))

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.expr:
        return self._hiding(node, targets_of(node))

    def visit_DictComp(self, node: ast.DictComp) -> ast.expr:
        return self._hiding(node, targets_of(node))

    def _hiding(self, node: ast.expr, names: set[str]) -> Any:
        return ast.NodeTransformer.generic_visit(_Renaming(self.scope, self.hidden | names), node)


def targets_of(node: ast.ListComp | ast.GeneratorExp | ast.DictComp) -> set[str]:
    """The names that a comprehension binds for itself."""
    targets = [part for clause in node.generators for part in ast.walk(clause.target)]
    return {part.id for part in targets if isinstance(part, ast.Name)}


def _is_builtin(name: str, scope: Scope) -> bool:
    unknown = name not in scope.meanings and (scope.outer is None or name not in scope.outer)
    return unknown and name not in scope.values and hasattr(builtins, name)


def copied(node: Any) -> Any:
    """A copy of an expression, so that none stands in two places of a tree."""
    if isinstance(node, list):
        return [copied(part) for part in node]
    if not isinstance(node, ast.AST):
        return node
    return type(node)(**{name: copied(value) for name, value in ast.iter_fields(node)})
