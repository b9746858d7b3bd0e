"""Say how many there are along a dimension, at any sizes, and by the program's own name where it has one."""

import ast
from collections.abc import Iterator

from handgrad.derive.lines.arithmetic import is_number
from handgrad.derive.lines.layout import kept_dimensions, same_shape
from handgrad.derive.lines.running import shape_of
from handgrad.derive.lines.scope import Scope
from handgrad.derive.lines.steps import Term
from handgrad.derive.lines.terms import filled, variable


class Sizes:
    """The sizes of a program's variables and of the parts of its lines."""

    def __init__(self, scope: Scope, outer: "Sizes | None" = None):
        """See the class."""
        self.scope = scope
        self._names: dict[str, str] = dict(outer._names) if outer is not None else {}
        for line in scope.lines:
            self._learn(line.targets, line.value)

    def of(self, node: ast.expr, dim: int) -> ast.expr:
        """The size of a dimension of an expression's value."""
        return self.scope.resolved(self._said(node, dim % max(1, self._rank(node))))

    def shape(self, node: ast.expr) -> ast.expr:
        """The shape of an expression's value."""
        like = same_shape(self.scope, node)
        if isinstance(like, ast.Name):
            return ast.Attribute(like, "shape", ast.Load())
        return ast.Tuple([self.of(node, dim) for dim in range(self._rank(node))], ast.Load())

    def count(self, node: ast.expr) -> ast.expr:
        """How many elements an expression's value has."""
        node = self.scope.stands_for(node)
        call = self.scope.call(node)
        if call is not None and call.name in ("view", "reshape", "flatten", "ravel"):
            return self.count(call["x"])
        if self._rank(node) == 1:
            return self.of(node, 0)
        return ast.Call(ast.Attribute(same_shape(self.scope, node), "numel", ast.Load()), [], [])

    def filled(self, node: ast.expr, term: Term, name: ast.Name | None = None) -> ast.expr:
        """A tensor of the shape and kind of an expression's value, with what broadcasts to it in it.

        Args:
            node: the expression.
            term: what is in the tensor.
            name: the variable that has the value, if there is one.
        """
        like = same_shape(self.scope, node, floats=True)
        like = like if isinstance(like, ast.Name) else name
        if like is None:
            return self._new(node, term)
        names = {"x": like, "c": term.source}
        if not term.constant:
            return filled("c.expand_as(x)", names)
        for number, function in ((0, "torch.zeros_like(x)"), (1, "torch.ones_like(x)")):
            if is_number(term.source, number):
                return filled(function, names)
        return filled("torch.full_like(x, c)", names)

    def _new(self, node: ast.expr, term: Term) -> ast.expr:
        """The same, by sizes, where no variable has the shape."""
        node = self.scope.resolved(node)
        active = (part for part in ast.walk(node) if isinstance(part, ast.Name) and self.scope.active(part))
        like: ast.expr = next(active)
        if isinstance(self.scope.value(like), list | tuple):
            like = ast.Subscript(like, ast.Constant(0), ast.Load())
        names = {"x": like, "c": term.source, "s": self.shape(node)}
        if not term.constant:
            return filled("c.expand(s)", names)
        for number, function in ((0, "x.new_zeros(s)"), (1, "x.new_ones(s)")):
            if is_number(term.source, number):
                return filled(function, names)
        return filled("x.new_full(s, c)", names)

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
        return origin

    def _origin(self, node: ast.expr, dim: int) -> ast.expr:
        """Where a size comes from: a dimension of a variable that no line makes, or a number's own source."""
        if isinstance(node, ast.Name) and self.scope.stands_for(node) is node:
            made = self.scope.made(node)
            followed = made is not node and (any(self._same(made, dim)) or self._written_out(made, dim) is not None)
            renamed = isinstance(made, ast.Name) and made is not node
            return self._origin(made, dim) if followed or renamed else _shape(node, dim)
        for part, part_dim in self._same(node, dim):
            return self._origin(part, part_dim)
        return self._written_out(node, dim) or _shape(node, dim)

    def _same(self, node: ast.expr, dim: int) -> Iterator[tuple[ast.expr, int]]:
        """Dimensions of parts of the expression that are as large by what the expression does."""
        if (part := self.scope.stands_for(node)) is not node:
            yield part, dim
        else:
            yield from kept_dimensions(self.scope, node, dim)

    def _written_out(self, node: ast.expr, dim: int) -> ast.expr | None:
        """A size that stands in the expression: in a view, or as the length of a range that picks elements."""
        call = self.scope.call(node)
        if call is not None and call.name in ("view", "reshape") and isinstance(call["shape"], ast.Tuple):
            wanted = call["shape"].elts
            if not any(isinstance(size, ast.Starred) for size in wanted) and len(wanted) == self._rank(node):
                if self.scope.value(wanted[dim]) != -1:
                    return self._size_in(wanted[dim])
                if len(wanted) == 1:
                    return self.count(call["x"])
        if call is not None and call.name == "getitem" and isinstance(call["index"], ast.Tuple):
            match call["index"].elts:
                case [ast.Call(ast.Name("range"), [length]), *_] if self._rank(node) == 1:
                    return self._size_in(length)
                case parts if dim < len(parts) and all(isinstance(p, ast.Slice) for p in parts[:dim]):
                    added = isinstance(part := parts[dim], ast.Constant) and part.value is None
                    return ast.Constant(1) if added else None
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
                if self._rank(array) == len(targets) > 0:
                    for dim, name in enumerate(targets):
                        self._names.setdefault(ast.dump(self._origin(array, dim)), name)
            case _ if len(targets) == 1 and (size := self._size_in(value)) is not value:
                self._names.setdefault(ast.dump(size), targets[0])

    def _rank(self, node: ast.expr) -> int:
        return len(shape_of(self.scope.value(node)))


def _shape(node: ast.expr, dim: int) -> ast.expr:
    return ast.Subscript(ast.Attribute(node, "shape", ast.Load()), ast.Constant(dim), ast.Load())
