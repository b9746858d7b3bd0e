"""Know the sizes that source says: of a tensor, or by a number that the program has a name for."""

import ast
from typing import Any

import torch

from handgrad.derive.expr import ONE, Expr
from handgrad.derive.indices import Axis, Form, Size, fresh, symbol
from handgrad.derive.lower.graph import Graph
from handgrad.derive.read.calls import evaluated, is_array


class Sizing:
    """What reads sizes."""

    graph: Graph
    values: dict[str, Any]

    def size(self, node: ast.expr) -> Expr | None:
        """A size that the expression asks a tensor for: `x.shape[0]`, `x.size(0)`, `len(x)`, `x.numel()`."""
        match node:
            case ast.Subscript(ast.Attribute(owner, "shape"), at) | ast.Call(ast.Attribute(owner, "size"), [at]):
                at_value = evaluated(at, self.values)
                dims = [at_value] if isinstance(at_value, int) else []
            case ast.Call(ast.Name("len"), [owner]):
                dims = [0]
            case ast.Call(ast.Attribute(owner, "numel"), []) | ast.Attribute(owner, "size"):
                dims = None
            case _:
                return None
        if not isinstance(owner, ast.Name) or not is_array(self.values.get(owner.id)):
            return None
        axes = self.table_axes(owner.id) if owner.id not in self.graph.definitions else None
        axes = self.graph.definitions[owner.id].axes if axes is None else axes
        out = ONE
        for index in axes if dims is None else [axes[d] for d in dims]:
            out = out * self.graph.sizes.of_index(index)
        return out

    def axis(self, count: int, node: ast.expr | None) -> Axis:
        """An index over as many places as an expression of the program says."""
        return fresh(symbol(count) if node is None else self.size_said(node, count))

    def size_said(self, node: ast.expr, count: int) -> Size:
        """The size that an expression says: that of a tensor, or one that is known by this expression."""
        expr = self.size(node)
        factor = None if expr is None else expr.single()
        if factor is not None:
            return self.graph.sizes.of_factor(factor.name)
        text = ast.unparse(node)
        literal = isinstance(node, ast.Constant)
        size = symbol(count) if literal else self.graph.named.setdefault(text, symbol(count))
        self.graph.sizes.say(size, text)
        return size

    def rest(self, whole: Axis, part: Axis, count: int) -> Size:
        """The size that is left of an axis of which a part is split off."""
        size = symbol(count)
        factor = self.graph.sizes.factor
        self.graph.sizes.say(size, f"{factor(whole.size).name} // {factor(part.size).name}")
        return size

    def table_axes(self, name: str) -> Form:
        """The axes of a tensor of the program that is not differentiated by."""
        return self.graph.constant(name, torch.as_tensor(self.values[name]), user=True).axes
