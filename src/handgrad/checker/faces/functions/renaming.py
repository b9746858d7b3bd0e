"""Other names for the variables of a function."""

import ast
import copy
from typing import Any


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]):
        self.names = names

    def visit_Name(self, node):
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node):
        node.arg = self.names.get(node.arg, node.arg)
        return self.generic_visit(node)

    def visit_FunctionDef(self, node):
        node.name = self.names.get(node.name, node.name)
        return self.generic_visit(node)

    def visit_alias(self, node):
        bound = (node.asname or node.name).split(".")[0]
        if bound in self.names and (node.asname or "." not in node.name):
            node.asname = self.names[bound]
        return node

    def visit_ExceptHandler(self, node):
        node.name = self.names.get(node.name, node.name)
        return self.generic_visit(node)


def renamed(node: Any, names: dict[str, str]) -> Any:
    """A copy of the syntax tree with other names."""
    return _Renamed(names).visit(copy.deepcopy(node))
