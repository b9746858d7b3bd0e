"""Pieces of source with the axes that they have, and how to turn them into others."""

from collections.abc import Sequence
from typing import NamedTuple

from handgrad.derive.indices import Axis, Form, Index
from handgrad.derive.wording.words import tokens

ADD, MATMUL, MULTIPLY, UNARY, PRIMARY = range(5)
"""How strongly a piece of source holds together."""

Axes = tuple[Axis | None, ...]


class UnsayableError(Exception):
    """There is no way to say this with these axes; `line` is which forward line makes it, where it is inside of one."""

    def __init__(self, reason: str = "", line: int | None = None):
        """Say why."""
        super().__init__(reason)
        self.line = line


class Code(NamedTuple):
    """A piece of source: how strongly it holds together, its axes, and whether it is of floats, ints or bools."""

    text: str
    strength: int = PRIMARY
    axes: Axes = ()
    kind: str = "float"

    def at(self, strength: int) -> str:
        """The source, in parentheses where it holds together less strongly than is needed."""
        return f"({self.text})" if self.strength < strength else self.text

    def then(self, method: str, axes: Axes) -> "Code":
        """The source with a method or subscript after it."""
        return Code(f"{self.at(PRIMARY)}{method}", PRIMARY, axes, self.kind)


def length(code: Code) -> float:
    """How long a piece of source is to a reader; new axes read badly, and so does einsum."""
    text = code.text
    turned = text.count(".T") + text.count(".transpose(") + 2 * text.count(".permute(")
    return tokens(text) + 2.2 * text.count("None") + 0.3 * turned + 4 * text.count("einsum") + len(text) / 1000


def fits(axes: Axes, order: Sequence[Index | None]) -> bool:
    """Whether axes broadcast to an order as they are."""
    return len(axes) <= len(order) and all(a is None or a == o for a, o in zip(axes[::-1], order[::-1], strict=False))


def joined(layouts: Sequence[Axes]) -> Axes:
    """The axes of what is broadcast together."""
    rank = max(map(len, layouts), default=0)
    out: list[Axis | None] = [None] * rank
    for axes in layouts:
        for d, axis in enumerate(axes, rank - len(axes)):
            out[d] = axis if out[d] is None else out[d]
    return tuple(out)


def fit(code: Code, order: Sequence[Index | None]) -> Code:
    """The source with axes that broadcast to an order."""
    axes = code.axes
    if fits(axes, order):
        return code
    if any(a is not None and a not in order for a in axes):
        raise UnsayableError(f"{code.text}: an index that is not in the result")
    if None in axes:
        gone = [d for d, a in enumerate(axes) if a is None]
        rest = tuple(a for a in axes if a is not None)
        squeezed = code.then(f".squeeze({gone[0] if len(gone) == 1 else tuple(gone)})", rest)
        if all(a is None for a in axes[: len(gone)]) and len(gone) == 1 and code.text.isidentifier():
            squeezed = code.then("[0]", rest)
        return fit(squeezed, order)
    wanted = sorted(axes, key=list(order).index)
    if wanted != list(axes):
        code = turned(code, tuple(wanted))
    first = list(order).index(wanted[0]) if wanted else len(order)
    slots = tuple(a if a in wanted else None for a in order[first:])
    if None in slots:
        code = code.then(f"[{', '.join('None' if a is None else ':' for a in slots)}]", slots)
    return code


def turned(code: Code, wanted: Axes) -> Code:
    """The source with its axes in another order."""
    axes = list(code.axes)
    places = [axes.index(a) for a in wanted]
    moved = [d for d, p in enumerate(places) if d != p]
    if len(axes) == 2:
        return code.then(".T", wanted)
    if len(moved) == 2:
        i, j = moved
        if (i, j) == (len(axes) - 2, len(axes) - 1) and len(axes) != 3:
            i, j = -2, -1
        return code.then(f".transpose({i}, {j})", wanted)
    return code.then(f".permute({', '.join(map(str, places))})", wanted)


def flattened(code: Code, group: Sequence[Axis], axis: Axis) -> Code:
    """The source with several axes next to each other read as one."""
    start = code.axes.index(group[0])
    stop = start + len(group)
    if code.axes[start:stop] != tuple(group):
        raise UnsayableError("axes that are not next to each other")
    last = "" if stop == len(code.axes) else f", {stop - 1}"
    where = f"{start}{last}" if start or last else ""
    return code.then(f".flatten({where})", (*code.axes[:start], axis, *code.axes[stop:]))


def plain(form: Form) -> bool:
    """Whether no index of a form is merged."""
    return all(i is None or isinstance(i, Axis) for i in form)
