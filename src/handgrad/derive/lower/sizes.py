"""Sizes as symbols, and how the program says them."""

from collections.abc import Iterable
from typing import NamedTuple

from handgrad.derive.expr import ONE, Expr, Factor, element
from handgrad.derive.indices import Axis, Index, Size, plain_order


class Saying(NamedTuple):
    """A way to say a size in source; `tensor` is the name in it where it is a tensor's, as in `x.shape[1]`."""

    text: str
    tensor: str = ""


class Sizes:
    """Which sizes are the same, since the program puts their axes together, and what the program calls them.

    Two sizes that have the same number by chance stay two.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._parent: dict[Size, Size] = {}
        self._sayings: dict[Size, list[Saying]] = {}
        self._by_tag: dict[int, Size] = {}

    def copy(self) -> "Sizes":
        """The same knowledge, to which more can be added apart."""
        made = Sizes()
        made._parent, made._by_tag = dict(self._parent), dict(self._by_tag)
        made._sayings = {size: list(sayings) for size, sayings in self._sayings.items()}
        return made

    def find(self, size: Size) -> Size:
        """The size that stands for all that are the same as this one."""
        while size in self._parent:
            size = self._parent[size]
        return size

    def unify(self, one: Size, other: Size) -> None:
        """Say that two sizes are the same."""
        one, other = self.find(one), self.find(other)
        if one != other and one.number == other.number:
            self._parent[other] = one
            self._sayings.setdefault(one, []).extend(self._sayings.pop(other, []))

    def same(self, one: Index | None, other: Index | None) -> bool:
        """Whether two indices run over the same sizes, as far as is known."""
        return [self.find(a.size) for a in plain_order(one)] == [self.find(a.size) for a in plain_order(other)]

    def say(self, size: Size, text: str, tensor: str = "") -> None:
        """Note a way to say a size."""
        sayings = self._sayings.setdefault(self.find(size), [])
        if Saying(text, tensor) not in sayings:
            sayings.append(Saying(text, tensor))

    def sayings(self, size: Size) -> list[Saying]:
        """The ways to say a size, in the order in which they were met."""
        return self._sayings.get(self.find(size), [])

    def factor(self, size: Size) -> Factor:
        """The size as a factor."""
        root = self.find(size)
        self._by_tag[root.tag] = root
        return Factor(f"#{root.tag}", ())

    def said(self, index: Index | None) -> str:
        """How many places an index runs over, in factors' names."""
        return " * ".join(self.factor(axis.size).name for axis in plain_order(index)) or "1"

    def of_factor(self, name: str) -> Size:
        """The size that a factor's name stands for."""
        return self.find(self._by_tag[int(name[1:])])

    def of_index(self, index: Index | None) -> Expr:
        """How many places an index runs over, as an expression."""
        return self.product(plain_order(index))

    def product(self, axes: Iterable[Axis]) -> Expr:
        """How many places some axes have together, as an expression."""
        out = ONE
        for axis in axes:
            out = out * element(self.factor(axis.size).name)
        return out

    def known(self, number: int) -> list[Size]:
        """All sizes of this number that something was said of."""
        return [size for size in self._sayings if size.number == number and self.find(size) == size]


def is_size(name: str) -> bool:
    """Whether the name is that of a size, and none of the program's."""
    return name.startswith("#")
