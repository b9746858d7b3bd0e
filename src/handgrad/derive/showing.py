"""A derivation as a page of a notebook shows it."""

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handgrad.derive.derivation import Derivation

RIGHT = "#2a7"


def page(derivation: "Derivation", source: str | None = None, check: bool = False) -> str:
    """The source in colours, with `check` the table of it, the notes, and one line about the check."""
    shown = code(derivation.source if source is None else source)
    said = f"<p style='color:{RIGHT}'><b>{html.escape(derivation.summary)}</b></p>"
    notes = "".join(f"<p>note: {html.escape(note)}</p>" for note in derivation.notes)
    return f"{shown}{table(derivation) if check else ''}{notes}{said}"


def code(source: str) -> str:
    """Python in colours where Pygments is at hand, as it is in a notebook."""
    try:
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer
    except ModuleNotFoundError:
        return f"<pre>{html.escape(source)}</pre>"
    return highlight(source, PythonLexer(), HtmlFormatter(noclasses=True, nobackground=True))


HEADINGS = ("gradient", "shape", "exact", "approximate", "error")


def rows(derivation: "Derivation") -> list[tuple[str, ...]]:
    """How each gradient compares with the right one; the error is relative to the largest element."""
    return [
        (c.gradient, "×".join(map(str, c.shape)), str(c.exact), str(c.right), f"{c.error:.3g}")
        for c in derivation.check
    ]


def table(derivation: "Derivation") -> str:
    """The same as a table of HTML."""
    left = "style='text-align:left'"
    heads = "".join(f"<th {left}>{heading}</th>" for heading in HEADINGS)
    body = "".join(
        f"<tr>{''.join(f'<td {left}>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows(derivation)
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
