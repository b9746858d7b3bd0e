"""Say how many there are along a dimension, at any sizes, and by the program's own name where it has one."""

import ast
from collections.abc import Iterator

from handgrad.derive.lines.running import shape_of
from handgrad.derive.lines.scope import Scope
from handgrad.derive.lines.terms import variable
from handgrad.derive.read.calls import Call
from handgrad.derive.rules.elementwise import SLOPES
from handgrad.derive.rules.pointwise import POINTWISE


class Sizes:
    """The sizes of a program's variables and of the parts of its lines."""

    def __init__(self, scope: Scope):  # noqa: D107
        self.scope = scope
        self._names: dict[str, str] = {}
        for line in scope.lines:
            self._learn(line.targets, line.value)

    def of(self, node: ast.expr, dim: int) -> ast.expr:
        """The size of a dimension of an expression's value."""
        node = self.scope.stands_for(node)
        return self._said(node, dim % max(1, self._rank(node)))

    def shape(self, node: ast.expr) -> ast.expr:
        """The shape of an expression's value."""
        like = self.like(node)
        if isinstance(like, ast.Name):
            return ast.Attribute(like, "shape", ast.Load())
        return ast.Tuple([self.of(node, dim) for dim in range(self._rank(node))], ast.Load())

    def count(self, node: ast.expr) -> ast.expr:
        """How many elements an expression's value has."""
        node = self.scope.stands_for(node)
        if self._rank(node) == 1:
            return self.of(node, 0)
        return ast.Call(ast.Attribute(self.like(node), "numel", ast.Load()), [], [])

    def like(self, node: ast.expr) -> ast.expr:
        """An expression of the same shape, which is this one or a part of it."""
        node = self.scope.stands_for(node)
        call = self.scope.call(node)
        if call is not None and (call.name in POINTWISE or call.name in SLOPES or call.name in UNCHANGED):
            shape = shape_of(self.scope.value(node))
            for part in call.arguments.values():
                if shape_of(self.scope.value(part)) == shape:
                    return self.like(part)
        return node

    def _said(self, node: ast.expr, dim: int) -> ast.expr:
        origin = self._origin(node, dim)
        if (known := self._names.get(ast.dump(origin))) is not None:
            return variable(known)
        if not isinstance(origin, ast.Subscript):
            return origin
        if isinstance(node, ast.Name) and self.scope.stands_for(node) is node:
            return _shape(node, dim)
        for part, part_dim in self._same(node, dim):
            return self._said(part, part_dim)
        return _shape(node, dim)

    def _origin(self, node: ast.expr, dim: int) -> ast.expr:
        """Where a size comes from: a dimension of a variable that no line makes, or a number's own source."""
        if isinstance(node, ast.Name) and self.scope.stands_for(node) is node:
            line = self.scope.makers.get(node.id)
            if line is None or len(line.targets) != 1:
                return _shape(node, dim)
            return self._origin(line.value, dim) if self._followed(line.value, dim) else _shape(node, dim)
        for part, part_dim in self._same(node, dim):
            return self._origin(part, part_dim)
        return self._written_out(node, dim) or _shape(node, dim)

    def _followed(self, node: ast.expr, dim: int) -> bool:
        return isinstance(node, ast.Name) or any(self._same(node, dim)) or self._written_out(node, dim) is not None

    def _same(self, node: ast.expr, dim: int) -> Iterator[tuple[ast.expr, int]]:
        """Dimensions of parts of the expression that are as large by what the expression does."""
        if (part := self.scope.stands_for(node)) is not node:
            yield part, dim
            return
        call = self.scope.call(node)
        if call is None:
            return
        if call.name in POINTWISE or call.name in SLOPES or call.name in UNCHANGED:
            yield from self._broadcast(call, node, dim)
            return
        match call.name:
            case "matmul" if self._rank(call["x"]) == self._rank(call["other"]) == 2:
                yield (call["x"], 0) if dim == 0 else (call["other"], 1)
            case "matmul" if self._rank(call["other"]) == 2 and dim < self._rank(node) - 1:
                yield call["x"], dim
            case "t":
                yield call["x"], 1 - dim
            case "getitem":
                yield from self._indexed(call, dim)

    def _broadcast(self, call: Call, node: ast.expr, dim: int) -> Iterator[tuple[ast.expr, int]]:
        rank = self._rank(node)
        for part in call.arguments.values():
            shape = shape_of(self.scope.value(part))
            own = dim - (rank - len(shape))
            if own >= 0 and (shape[own] != 1 or self.scope.value(node).shape[dim] == 1):
                yield part, own

    def _indexed(self, call: Call, dim: int) -> Iterator[tuple[ast.expr, int]]:
        index = self.scope.value(call["index"])
        if hasattr(index, "dtype") and not _is_mask(index):
            rank = len(shape_of(index))
            yield (call["index"], dim) if dim < rank else (call["x"], dim - rank + 1)

    def _written_out(self, node: ast.expr, dim: int) -> ast.expr | None:
        """A size that stands in the expression: in a view, or as the length of a range that picks elements."""
        call = self.scope.call(node)
        if call is not None and call.name in ("view", "reshape") and isinstance(call["shape"], ast.Tuple):
            wanted = call["shape"].elts
            if dim < len(wanted) and not isinstance(wanted[dim], ast.Starred) and self.scope.value(wanted[dim]) != -1:
                return self._size_in(wanted[dim])
        if call is not None and call.name == "getitem" and isinstance(call["index"], ast.Tuple):
            match call["index"].elts:
                case [ast.Call(ast.Name("range"), [length]), *_] if self._rank(node) == 1:
                    return self._size_in(length)
        return None

    def _size_in(self, node: ast.expr) -> ast.expr:
        """The size that an expression is, where it is one by what it says; otherwise the expression."""
        match node:
            case ast.Subscript(ast.Attribute(array, "shape"), dim) if isinstance(self.scope.value(dim), int):
                return self._origin(array, self.scope.value(dim) % self._rank(array))
            case ast.Call(ast.Name("len"), [array]) if self._rank(array):
                return self._origin(array, 0)
            case ast.Call(ast.Attribute(array, "size"), [dim]) if self._rank(array):
                return self._origin(array, self.scope.value(dim) % self._rank(array))
        return node

    def _learn(self, targets: tuple[str, ...], value: ast.expr) -> None:
        """Note which sizes a line gives names to."""
        match value:
            case ast.Attribute(array, "shape") | ast.Call(ast.Attribute(array, "size"), []):
                if self._rank(array) == len(targets):
                    for dim, name in enumerate(targets):
                        self._names.setdefault(ast.dump(self._origin(array, dim)), name)
            case _ if len(targets) == 1 and (size := self._size_in(value)) is not value:
                self._names.setdefault(ast.dump(size), targets[0])

    def _rank(self, node: ast.expr) -> int:
        return len(shape_of(self.scope.value(node)))


UNCHANGED = frozenset({"pow", "softmax", "log_softmax", "dropout", "masked_fill", "clone", "where", "layer_norm"})
"""Further functions whose value has the shape of their argument."""


def _shape(node: ast.expr, dim: int) -> ast.expr:
    return ast.Subscript(ast.Attribute(node, "shape", ast.Load()), ast.Constant(dim), ast.Load())


def _is_mask(index: object) -> bool:
    return str(getattr(index, "dtype", "")).endswith("bool")
