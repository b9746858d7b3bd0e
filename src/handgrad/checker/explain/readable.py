"""Say a derived formula in the user's own words: the names at hand, and what the line itself spells out."""

import ast
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.explain.differences import MODULES
from handgrad.checker.explain.rewrite import unparsed
from handgrad.checker.read.trees import called, expression
from handgrad.checker.run.values import is_float

LONGEST = 110
"""Characters beyond which nobody reads a repair, unless the line is that long itself."""


def is_readable(fix: str, line: str) -> bool:
    """Whether a repair is short enough to be read, for the line that it repairs.

    >>> is_readable("dx = dy - dy.mean(0)", "dx = dy")
    True
    """
    return len(fix) <= max(LONGEST, 1.3 * len(line))


class Wording:
    """Puts in the place of each part of a formula the shortest known expression of the same value."""

    def __init__(self, evaluate: Callable[[ast.expr], Any], names: Mapping[str, Any], line: Iterable[ast.expr]):
        """`names` are those at hand, and `line` the expressions of the user's own line."""
        self.evaluate = evaluate
        parts = [p for whole in line for p in ast.walk(whole) if isinstance(p, ast.expr)]
        self.order = _Ordered(parts)
        mentioned = {p.id for p in parts if isinstance(p, ast.Name)}
        spelled = {n: v for n, v in names.items() if n in mentioned}
        for part in parts:
            if isinstance(part, ast.BinOp | ast.Call | ast.Subscript | ast.Attribute):
                spelled[ast.unparse(part)] = evaluate(part)
        self.tensors = _shortest_first(
            {n: v for n, v in [*names.items(), *spelled.items()] if is_float(v) and _tells(v)}
        )
        self.spelled_sizes = _shortest_first({n: v for n, v in spelled.items() if type(v) is int})
        self.sizes = {n: v for n, v in names.items() if type(v) is int}

    def of(self, text: str) -> str:
        """The formula in other words.

        >>> world = {"x": torch.tensor([1.0, 2.0]), "e": torch.tensor([1.0, 2.0]).exp(), "n": 2}
        >>> wording = Wording(lambda node: eval(ast.unparse(node), {"torch": torch, **world}), world, [])
        >>> wording.of("x.exp() * 0.5 * 2 / x.numel()")
        'e / n'
        """
        worded = _Simpler().visit(_Worded(self).visit(_Simpler().visit(expression(text))))
        return unparsed(self.order.visit(worded))

    def known(self, node: ast.expr) -> str | None:
        """A shorter spelling of a part."""
        value = self.evaluate(node)
        if type(value) is int:
            return self._size(node, value)
        if not _tells(value):
            return None
        length = len(ast.unparse(node))
        for text, known in self.tensors.items():
            if len(text) >= length:
                return None
            if known.shape == value.shape and torch.allclose(known.double(), value.double(), rtol=1e-6, atol=1e-12):
                return text
        return None

    def _size(self, node: ast.expr, value: int) -> str | None:
        if not isinstance(node, ast.Call | ast.Subscript | ast.BinOp):
            return None
        for text, size in self.spelled_sizes.items():
            if size == value:
                return text
        named = [n for n, size in self.sizes.items() if size == value]
        return named[0] if len(named) == 1 else None


def _shortest_first(known: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(known.items(), key=lambda item: len(item[0])))


def _tells(value: Any) -> bool:
    """Whether two tensors of this value are hardly the same by chance: it is one of floats, or says which are one."""
    if not isinstance(value, Tensor) or value.numel() < 2 or not bool((value != value.reshape(-1)[0]).any()):
        return False
    return is_float(value) or not bool(value.is_complex() or ((value != 0) & (value != 1)).any())


class _Worded(ast.NodeTransformer):
    def __init__(self, wording: Wording):
        self.wording = wording

    def visit(self, node: Any) -> Any:
        if isinstance(node, ast.BinOp | ast.UnaryOp | ast.Call | ast.Subscript | ast.Attribute):
            text = self.wording.known(node)
            if text is not None:
                return expression(text)
        return self.generic_visit(node)


class _Simpler(ast.NodeTransformer):
    """Leaves out needless signs, ones and numbers."""

    def visit_UnaryOp(self, node):
        self.generic_visit(node)
        twice = isinstance(node.operand, ast.UnaryOp) and isinstance(node.operand.op, ast.USub)
        return node.operand.operand if twice and isinstance(node.op, ast.USub) else node

    def visit_BinOp(self, node):
        self.generic_visit(node)
        factors = list(_factors(node))
        numbers = [(times, ast.literal_eval(part)) for times, part in factors if _is_number(part)]
        product = 1.0
        for times, value in numbers:
            if not value:
                return node
            product = product * value if times else product / value
        if len(numbers) < 2 and not (numbers and product == 1):
            return node
        rest = [(times, part) for times, part in factors if not _is_number(part)]
        first = next((i for i, (times, _) in enumerate(rest) if times), None)
        whole = rest.pop(first)[1] if first is not None else ast.Constant(_plain(product))
        if first is not None and product == -1:
            whole = ast.UnaryOp(ast.USub(), whole)
        elif first is not None and product != 1:
            inverse = product != int(product) and 1 / product == int(1 / product)
            number = ast.Constant(_plain(1 / product if inverse else product))
            whole = ast.BinOp(whole, ast.Div(), number) if inverse else ast.BinOp(number, ast.Mult(), whole)
        for times, part in rest:
            whole = ast.BinOp(whole, ast.Mult() if times else ast.Div(), part)
        return whole


class _Ordered(ast.NodeTransformer):
    """Puts the factors of each product in the order that they have in the user's own line, and its sign in front."""

    def __init__(self, line: Iterable[ast.expr]):
        self.places: dict[str, int] = {}
        for product in line:
            if isinstance(product, ast.BinOp) and isinstance(product.op, ast.Mult | ast.Div):
                for place, (_, factor) in enumerate(_factors(product)):
                    self.places.update({ast.unparse(p): place for p in ast.walk(factor) if _may_be_moved(p)})

    def visit_BinOp(self, node):
        self.generic_visit(node)
        factors = list(_factors(node))
        if len(factors) < 2 or not all(times for times, _ in factors):
            return node
        signs, bare = zip(*(_unsigned(factor) for _, factor in factors), strict=True)
        keyed, place = [], 0
        for factor in bare:
            place = self._place(factor, place)
            keyed.append((place, factor))
        first, *rest = (factor for _, factor in sorted(keyed, key=lambda pair: pair[0]))
        whole = ast.UnaryOp(ast.USub(), first) if math.prod(signs) < 0 else first
        for factor in rest:
            whole = ast.BinOp(whole, ast.Mult(), factor)
        return whole

    def _place(self, factor: ast.expr, otherwise: int) -> int:
        """Where a factor stands in a product of the line, or one of its parts does; what only spreads comes last."""
        if called(factor) in ("ones_like", "full_like"):
            return sys.maxsize
        parts = [p for p in ast.walk(factor) if isinstance(p, ast.Name) and _may_be_moved(p)]
        found = (self.places[text] for text in map(ast.unparse, [factor, *parts]) if text in self.places)
        return next(found, otherwise)


def _may_be_moved(part: ast.AST) -> bool:
    return isinstance(part, ast.expr) and not (isinstance(part, ast.Name) and part.id in MODULES)


def _unsigned(node: ast.expr) -> tuple[int, ast.expr]:
    """The sign of a factor, and the factor without it."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -1, node.operand
    return 1, node


def _factors(node: Any):
    """The factors of a product, each with whether it multiplies or divides."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        yield from _factors(node.left)
        yield isinstance(node.op, ast.Mult), node.right
    else:
        yield True, node


def _is_number(node: Any) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def _plain(value: float) -> int | float:
    return int(value) if value == int(value) else value
