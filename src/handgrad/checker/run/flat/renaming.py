"""Statements of the user's with other names in them."""

import ast
import copy
from typing import Any

from handgrad.checker.read.spelling import DOT
from handgrad.checker.run.flat.definitions import local_names
from handgrad.checker.run.flat.entries import placed


def numbered(body: list[ast.stmt], local: set[str], number: int, method: tuple[str, str] | None) -> list[ast.stmt]:
    """The body of a function as that of one call: its local names have the number of the call.

    Args:
        body: of the function.
        local: its local names.
        number: of the call.
        method: the name of its class, and that of its object inside, where it is a method.
    """
    one_call = _Numbered(local, number, method)
    return [one_call.visit(copy.deepcopy(part)) for part in body]


def renamed(node: ast.stmt, names: dict[str, str]) -> Any:
    """The statement with other names for global ones where they are read or changed."""
    return _Renamed(names).visit(copy.deepcopy(node))


def exchange(within: ast.expr, old: ast.AST, new: ast.expr) -> ast.expr:
    """The expression, changed in place, with one part in the place of another."""
    return _Exchange(old, new).visit(within)


class _Numbered(ast.NodeTransformer):
    """Gives the local names of one call its number; `method` is its class and the name of its object."""

    def __init__(self, local: set[str], number: int, method: tuple[str, str] | None = None):
        self.local, self.number, self.method = local, number, method

    def _numbered(self, name: str) -> str:
        return f"{name}{DOT}{self.number}" if name in self.local else name

    def visit_Name(self, node):
        node.id = self._numbered(node.id)
        return node

    def visit_Call(self, node):
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args and self.method:
            class_, instance = self.method
            node.args = [placed(ast.Name(name, ast.Load()), node) for name in (class_, self._numbered(instance))]
            return node
        return self.generic_visit(node)

    def visit_FunctionDef(self, node):
        node.name = self._numbered(node.name)
        within = _Numbered(self.local - local_names(node), self.number, self.method)
        node.body = [within.visit(part) for part in node.body]
        node.args, node.decorator_list = self.visit(node.args), [self.visit(d) for d in node.decorator_list]
        return node

    def visit_Lambda(self, node):
        node.body = _Numbered(self.local - {a.arg for a in node.args.args}, self.number, self.method).visit(node.body)
        node.args = self.visit(node.args)
        return node

    def visit_Nonlocal(self, node):
        return ast.copy_location(ast.Global([self._numbered(name) for name in node.names]), node)

    def visit_ExceptHandler(self, node):
        node.name = node.name and self._numbered(node.name)
        return self.generic_visit(node)


class _Renamed(ast.NodeTransformer):
    """Calls global names by others where they are read or changed."""

    def __init__(self, names: dict[str, str]):
        self.names = names

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Load):
            node.id = self.names.get(node.id, node.id)
        return node

    def visit_AugAssign(self, node):
        if isinstance(node.target, ast.Name):
            node.target.id = self.names.get(node.target.id, node.target.id)
        return self.generic_visit(node)


class _Exchange(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST):
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        return self.new if node is self.old else self.generic_visit(node)
