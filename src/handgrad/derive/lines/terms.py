"""Put expressions together as a person would: signs in front, no ones, few brackets.

Each rewriting here changes no bit of the result, but for `a * b * (c * d)`, which loses its brackets.
"""

import ast
import functools
from collections.abc import Callable, Mapping
from typing import Any

from handgrad.derive.lines.arithmetic import binary, minus, negated, positive

Replacement = Callable[[ast.expr], ast.expr | None]

LINEAR = frozenset(
    {
        "sum",
        "mean",
        "view",
        "reshape",
        "flatten",
        "unflatten",
        "expand",
        "expand_as",
        "unsqueeze",
        "squeeze",
        "transpose",
        "permute",
        "movedim",
        "swapaxes",
        "flip",
        "roll",
        "view_as",
        "clone",
        "unbind",
        "cumsum",
        "index_select",
        "gather",
        "repeat_interleave",
        "tril",
        "triu",
    }
)
"""Methods through which a minus sign goes."""

OF_SEVERAL = frozenset({"view", "reshape", "permute", "transpose", "flip", "expand", "new_ones", "new_zeros"})
"""Methods whose arguments may be one tuple or, as is shorter, what is in it."""


def variable(text: str) -> ast.Name:
    """The name as an expression."""
    return ast.Name(text, ast.Load())


@functools.cache
def parsed(template: str) -> ast.expr:
    """The tree of a template; it is shared, so it must not be changed."""
    return ast.parse(template, mode="eval").body


def filled(template: str, names: Mapping[str, ast.expr]) -> ast.expr:
    """A template with expressions in the place of its names.

    Example:
        >>> from handgrad.derive.emit.source import written
        >>> written(filled("x * dy", {"x": parsed("a + b"), "dy": parsed("-du")}))
        '-(a + b) * du'
    """
    return rebuilt(parsed(template), lambda node: names.get(node.id) if isinstance(node, ast.Name) else None)


def rebuilt(node: ast.expr, replace: Replacement) -> ast.expr:
    """An expression put together anew, with others in the place of the parts for which `replace` has one."""
    if (other := replace(node)) is not None:
        return other
    match node:
        case ast.BinOp(left, op, right):
            return binary(op, rebuilt(left, replace), rebuilt(right, replace))
        case ast.UnaryOp(ast.USub(), operand):
            return minus(rebuilt(operand, replace))
        case ast.Call(function, arguments, keywords):
            function, given = rebuilt(function, replace), _rebuilt_parts(arguments, replace)
            return called(function, given, _rebuilt_parts(keywords, replace))
        case ast.Attribute(value, attr):
            return attribute(rebuilt(value, replace), attr)
        case ast.Subscript(value, index):
            value, index = rebuilt(value, replace), rebuilt(index, replace)
            if negated(value):
                return minus(ast.Subscript(positive(value), index, ast.Load()))
            return ast.Subscript(value, index, ast.Load())
    return type(node)(**{field: _rebuilt_parts(part, replace) for field, part in ast.iter_fields(node)})


def _rebuilt_parts(node: Any, replace: Replacement) -> Any:
    """The same for whatever a tree has in it."""
    match node:
        case ast.expr():
            return rebuilt(node, replace)
        case list():
            return [_rebuilt_parts(part, replace) for part in node]
        case ast.AST():
            return type(node)(**{field: _rebuilt_parts(part, replace) for field, part in ast.iter_fields(node)})
    return node


def called(function: ast.expr, arguments: list[ast.expr], keywords: list[ast.keyword]) -> ast.expr:
    """A call; of a linear method of `-a`, it is minus the call of `a`'s."""
    match function:
        case ast.Attribute(owner, name) if name in LINEAR and negated(owner):
            return minus(called(attribute(positive(owner), name), arguments, keywords))
        case ast.Attribute(owner, "transpose") if swap := _transposed(owner, arguments):
            return swap
        case ast.Attribute(ast.Call(ast.Attribute(inner, "sum"), [dims], [_]), "squeeze") if _same(arguments, dims):
            return called(ast.Attribute(inner, "sum", ast.Load()), arguments, [])
        case ast.Attribute(_, name) if name in OF_SEVERAL:
            match arguments:
                case [ast.Tuple([_, *_] as parts)]:
                    arguments = parts
    return ast.Call(function, arguments, keywords)


def _same(arguments: list[ast.expr], dims: ast.expr) -> bool:
    return len(arguments) == 1 and ast.dump(arguments[0]) == ast.dump(dims)


def attribute(owner: ast.expr, name: str) -> ast.expr:
    """An attribute; a transpose of a transpose is the matrix itself, and one of a product is a product."""
    if name == "T":
        if negated(owner):
            return minus(attribute(positive(owner), name))
        match owner:
            case ast.Attribute(matrix, "T") | ast.Call(ast.Attribute(matrix, "t"), []):
                return matrix
        if isinstance(owner, ast.BinOp) and isinstance(owner.op, ast.MatMult) and _has_transpose(owner):
            return ast.BinOp(attribute(owner.right, "T"), ast.MatMult(), attribute(owner.left, "T"))
    return ast.Attribute(owner, name, ast.Load())


def _has_transpose(product: ast.BinOp) -> bool:
    return any(isinstance(side, ast.Attribute) and side.attr == "T" for side in (product.left, product.right))


def _transposed(owner: ast.expr, dims: list[ast.expr]) -> ast.expr | None:
    """`owner.transpose(dims)` where `owner` is a transpose of these dims itself, or a product with one."""
    swap = [ast.dump(d) for d in dims]
    if sorted(swap) == _LAST_TWO and isinstance(owner, ast.BinOp) and isinstance(owner.op, ast.MatMult):
        sides = owner.right, owner.left
        if any(_is_swap(side, swap) for side in sides):
            right, left = (called(ast.Attribute(side, "transpose", ast.Load()), dims, []) for side in sides)
            return ast.BinOp(right, ast.MatMult(), left)
    if _is_swap(owner, swap):
        assert isinstance(owner, ast.Call)
        assert isinstance(owner.func, ast.Attribute)
        return owner.func.value
    return None


def _is_swap(node: ast.expr, swap: list[str]) -> bool:
    match node:
        case ast.Call(ast.Attribute(_, "transpose"), dims):
            return sorted(ast.dump(d) for d in dims) == sorted(swap)
    return False


_LAST_TWO = sorted(ast.dump(parsed(d)) for d in ("-2", "-1"))
