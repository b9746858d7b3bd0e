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
    UnsayableError,
    fit,
    flattened,
    joined,
    length,
)
from handgrad.derive.expr import Factor, Number
from handgrad.derive.indices import Axis
from handgrad.derive.lower.graph import Graph
from handgrad.derive.wording.tree import Add, Flat, Leaf, Mul, Num, Sum, Tree, free, product
from handgrad.derive.wording.words import Words

Order = tuple[Axis, ...]


class Speaker:
    """Says trees in the names of one program; `near` are tensors to take sizes and types from, the first the best."""

    def __init__(self, words: Words, near: Sequence[str] = ()):
        """Start with nothing said."""
        self.words = words
        self.graph: Graph = words.graph
        self.near = tuple(near)
        self.helpers = words.helpers
        self._said: dict[tuple[Tree, Order], Code | None] = {}

    def say(self, tree: Tree, order: Order) -> Code:
        """The shortest source found for a tree, with axes that broadcast to an order.

        Raises:
            UnsayableError: there is none.
        """
        key = tree, order
        if key not in self._said:
            self._said[key] = None
            self._said[key] = shortest([lambda: self._plain(tree, order), lambda: self._lifted(tree, order)])
        code = self._said[key]
        if code is None:
            raise UnsayableError("no way to say a part of it")
        return code

    def _plain(self, tree: Tree, order: Order) -> Code:
        from handgrad.derive.emit.leaves import leaf
        from handgrad.derive.emit.products import product as multiplied
        from handgrad.derive.emit.sums import summed

        match tree:
            case Num(value):
                return number(value)
            case Leaf(base):
                return fit(leaf(self, base), order)
            case Add(parts):
                return self._sum(parts, order)
            case Mul():
                return multiplied(self, tree, order)
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
            raise UnsayableError("an axis is missing")
        return code

    def _sum(self, parts: tuple[Tree, ...], order: Order) -> Code:
        chosen = self._chosen(parts, order) if len(parts) == 2 else None
        if chosen is not None:
            return chosen
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
        kind = "float" if "float" in kinds else "int" if "int" in kinds else "number"
        return Code(text, ADD, joined(layouts), kind)

    def _chosen(self, parts: tuple[Tree, ...], order: Order) -> Code | None:
        """m * a + ~m * b as torch.where(m, a, b)."""
        for yes, no in (parts, parts[::-1]):
            mask, one = self._under_mask(yes)
            rest, other = self._under_mask(no)
            if mask is None or rest is None or self.graph.masks.get(mask.name) != rest.name:
                continue
            if mask.indices != rest.indices:
                continue
            if str(mask.name).startswith("~") or (isinstance(one, Num) and isinstance(other, Num)):
                continue
            codes = [self.say(t, order) for t in (Leaf(mask), one, other)]
            if "float" not in (codes[1].kind, codes[2].kind):
                continue
            inside = ", ".join(
                c.text.removeprefix("(").removesuffix(")") if k == 0 and wrapped(c.text) else c.text
                for k, c in enumerate(codes)
            )
            return Code(f"torch.where({inside})", PRIMARY, joined([c.axes for c in codes]))
        return None

    def _under_mask(self, tree: Tree) -> tuple[Factor | None, Tree]:
        """The mask that a product has, and the rest of it."""
        parts = tree.parts if isinstance(tree, Mul) else ((tree, 1),)
        for k, (part, power) in enumerate(parts):
            if isinstance(part, Leaf) and isinstance(part.base, Factor) and part.base.name in self.graph.masks:
                rest = [*parts[:k], *parts[k + 1 :]]
                return part.base, product(tree.coefficient if isinstance(tree, Mul) else power, rest)
        return None, tree

    def numeric(self, code: Code) -> Code:
        """The source, as numbers where it is of bools: these cannot be subtracted."""
        return self.floating(code) if code.kind == "bool" else code

    def floating(self, code: Code) -> Code:
        """The source, as floats where it is of ints or bools."""
        if code.kind in ("float", "number"):
            return code
        if not self.near:
            raise UnsayableError("nothing to take a type from")
        return code.then(f".type_as({self.near[0]})", code.axes)._replace(kind="float")


def shortest(ways: Sequence[Callable[[], Code | None]]) -> Code | None:
    """The shortest of the ways that there are."""
    found: list[Code] = []
    for way in ways:
        try:
            code = way()
        except UnsayableError:
            continue
        if code is not None:
            found.append(code)
    return min(found, key=length) if found else None


def wrapped(text: str) -> bool:
    """Whether parentheses are around the whole of a text."""
    if not text.startswith("("):
        return False
    depth = 0
    for k, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if not depth:
            return k == len(text) - 1
    return False


def literal(value: Number) -> str:
    """A number as source."""
    if value.denominator == 1:
        return str(value.numerator)
    text = repr(float(value))
    long = max(value.numerator, value.denominator) > 10**9
    return text if long or Fraction(text) == value else f"{value.numerator} / {value.denominator}"


def number(value: Number) -> Code:
    """A number as a piece of source."""
    text = literal(value)
    strength = MULTIPLY if "/" in text else UNARY if value < 0 else PRIMARY
    return Code(text, strength, (), "number")


__all__ = ["MATMUL", "Axes", "Speaker", "literal", "number", "shortest"]
