"""Say trees as PyTorch source."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from handgrad.derive.emit.layout import (
    ADD,
    MATMUL,
    MULTIPLY,
    PRIMARY,
    UNARY,
    Axes,
    Code,
    Unsayable,
    fit,
    flattened,
    joined,
    length,
)
from handgrad.derive.expr import Axis, Number
from handgrad.derive.lower.graph import Graph
from handgrad.derive.wording.tree import Add, Flat, Leaf, Mul, Num, Sum, Tree, free
from handgrad.derive.wording.words import Words

Order = tuple[Axis, ...]


class Speaker:
    """Says trees in the names of one program; `near` are tensors to take sizes and types from, the first the best."""

    def __init__(self, words: Words, near: Sequence[str] = ()):
        """Start with nothing said."""
        self.words = words
        self.graph: Graph = words.graph
        self.near = tuple(near)
        self._said: dict[tuple[Tree, Order], Code | None] = {}

    def say(self, tree: Tree, order: Order) -> Code:
        """The shortest source found for a tree, with axes that broadcast to an order.

        Raises:
            Unsayable: there is none.
        """
        key = tree, order
        if key not in self._said:
            self._said[key] = None
            self._said[key] = shortest([lambda: self._plain(tree, order), lambda: self._lifted(tree, order)])
        code = self._said[key]
        if code is None:
            raise Unsayable("no way to say a part of it")
        return code

    def _plain(self, tree: Tree, order: Order) -> Code:
        from handgrad.derive.emit.leaves import leaf
        from handgrad.derive.emit.products import product
        from handgrad.derive.emit.sums import summed

        match tree:
            case Num(value):
                return number(value)
            case Leaf(base):
                return fit(leaf(self, base), order)
            case Add(parts):
                return self._sum(parts, order)
            case Mul():
                return product(self, tree, order)
            case Sum():
                return summed(self, tree, order)
            case Flat(body, group, axis):
                at = order.index(axis)
                return flattened(self.whole(body, (*order[:at], *group, *order[at + 1 :])), group, axis)

    def _lifted(self, tree: Tree, order: Order) -> Code | None:
        """The tree without the last axes of an order that it does not have, which are put behind it."""
        have = free(tree)
        k = len(order)
        while k and order[k - 1] not in have:
            k -= 1
        if not have or k == len(order) or isinstance(tree, Leaf):
            return None
        code = self.whole(tree, order[:k])
        slots = [":"] * len(code.axes) + ["None"] * (len(order) - k)
        return code.then(f"[{', '.join(slots)}]", (*code.axes, *[None] * (len(order) - k)))

    def whole(self, tree: Tree, order: Order) -> Code:
        """The source of a tree with all axes of an order that the tree has, none of length one."""
        have = tuple(a for a in order if a in free(tree))
        code = self.say(tree, have)
        if code.axes != have:
            code = fit(code, have)
        if code.axes != have:
            raise Unsayable("an axis is missing")
        return code

    def _sum(self, parts: tuple[Tree, ...], order: Order) -> Code:
        text, layouts, kinds = "", [], []
        for part in parts:
            code = self.numeric(self.say(part, order))
            layouts.append(code.axes)
            kinds.append(code.kind)
            if not text:
                text = code.text
            elif code.text.startswith("-"):
                text += f" - {code.text[1:]}"
            else:
                text += f" + {code.text}"
        return Code(text, ADD, joined(layouts), "float" if "float" in kinds else "int")

    def numeric(self, code: Code) -> Code:
        """The source, as numbers where it is of bools: these cannot be subtracted."""
        return self.floating(code) if code.kind == "bool" else code

    def floating(self, code: Code) -> Code:
        """The source, as floats where it is of ints or bools."""
        if code.kind == "float":
            return code
        if not self.near:
            raise Unsayable("nothing to take a type from")
        return code.then(f".type_as({self.near[0]})", code.axes)._replace(kind="float")


def shortest(ways: Sequence[Callable[[], Code | None]]) -> Code | None:
    """The shortest of the ways that there are."""
    found: list[Code] = []
    for way in ways:
        try:
            code = way()
        except Unsayable:
            continue
        if code is not None:
            found.append(code)
    return min(found, key=length) if found else None


def literal(value: Number) -> str:
    """A number as source."""
    if value.denominator == 1:
        return str(value.numerator)
    text = repr(float(value))
    return text if Fraction(text) == value else f"{value.numerator} / {value.denominator}"


def number(value: Number) -> Code:
    """A number as a piece of source."""
    text = literal(value)
    strength = MULTIPLY if "/" in text else UNARY if value < 0 else PRIMARY
    return Code(text, strength, (), "int" if value.denominator == 1 else "float")


__all__ = ["MATMUL", "Axes", "Speaker", "literal", "number", "shortest"]
