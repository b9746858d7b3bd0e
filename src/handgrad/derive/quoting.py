"""Beside each line of a backward pass the forward line that it undoes, as a comment."""

from itertools import groupby

from handgrad.derive.backward import Backward, GradientLine
from handgrad.derive.read.program import Line, Loop

WIDTH = 120
"""Where a quotation has to end that stands beside a line; a longer one stands above it."""
COLUMN = 64
"""The longest line that quotations move to the right for."""


def quoted(backward: Backward) -> str:
    """The source with quotations.

    >>> line = Line(("h",), None, "h = torch.tanh(a)", 3)
    >>> print(quoted(Backward((GradientLine("da", "da = (1 - h**2) * dh", line),), {"a": "da"}, "dh")))
    da = (1 - h**2) * dh  # h = torch.tanh(a)
    """
    groups = [(undone, list(lines)) for undone, lines in groupby(backward.lines, key=lambda line: line.undoes)]
    firsts = [first for undone, lines in groups if undone and len(first := _first(lines)) <= COLUMN]
    column = max(map(len, firsts), default=0)
    shown = [*backward.recomputed, *(_quoted(undone, lines, column) for undone, lines in groups)]
    return "\n".join(shown)


def _quoted(undone: Line | Loop | None, lines: list[GradientLine], column: int) -> str:
    source = "\n".join(line.source for line in lines)
    if undone is None:
        return source
    text, first = quotation(undone), _first(lines)
    if len(first) <= column and column + len("  # ") + len(text) <= WIDTH and "\n" not in text:
        return f"{first:<{column}}  # {text}{source.removeprefix(first)}"
    return "\n".join(f"# {part}" for part in text.split("\n")) + f"\n{source}"


def _first(lines: list[GradientLine]) -> str:
    return lines[0].source.partition("\n")[0]


def quotation(undone: Line | Loop) -> str:
    """A forward line as it is quoted: of a loop its head alone."""
    if isinstance(undone, Loop):
        return undone.text.partition("\n")[0]
    return undone.text
