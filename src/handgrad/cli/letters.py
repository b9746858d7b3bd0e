"""How letters and their probabilities are shown."""

import math
import unicodedata

from rich.bar import Bar
from rich.table import Table
from rich.text import Text

from handgrad.evaluation import Letter

BAR = 20
STYLES = ((0.2, "green"), (0.02, "yellow"), (0.0, "red"))
"""Of letters at least so likely."""


def spelt(letter: str | None) -> str:
    """A letter as it can be seen; None is the end of the line.

    >>> [spelt(letter) for letter in ("a", " ", "\\u0301", "\\u200b", None)]
    ['a', '␣', '◌́', 'U+200B', 'end']
    """
    if letter is None:
        return "end"
    if letter == " ":
        return "␣"
    if unicodedata.combining(letter):
        return f"◌{letter}"
    return letter if letter.isprintable() else f"U+{ord(letter):04X}"


def figure(probability: float) -> str:
    """Four decimals, or where these are 0, two digits."""
    return f"{probability:.4f}" if probability >= 0.00005 else f"{probability:.1e}"


def style_of(probability: float) -> str:
    """The colour that says how likely it is."""
    return next(style for least, style in STYLES if probability >= least)


def bar(probability: float, width: int = BAR) -> Bar:
    """As long as it is likely."""
    return Bar(1, 0, probability, width=width, color=style_of(probability))


def letter_table(letters: list[Letter]) -> Table:
    """A line, letter by letter: how likely each was, and what else might have stood there."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("letter", no_wrap=True)
    for title in ("probability", "nats"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", width=BAR)
    table.add_column("likeliest others")
    for place in letters:
        probability = math.exp(place.log_probability)
        others = Text("  ").join(
            Text.assemble(spelt(other), (f" {math.exp(log_probability):.2f}", "dim"))
            for other, log_probability in place.others
        )
        name = Text(spelt(place.letter), style="dim" if place.letter is None else "")
        figures = Text(figure(probability), style=style_of(probability)), Text(f"{place.log_probability:.4f}")
        table.add_row(name, *figures, bar(probability), others)
    return table
