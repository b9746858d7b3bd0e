"""What commands show: results on stdout, progress and remarks on stderr."""

import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

if TYPE_CHECKING:
    from handgrad.training.run import Outcome


def console(stderr: bool = False) -> Console:
    """A console that never wraps at less than 80 columns and leaves numbers in peace."""
    shown = Console(stderr=stderr, highlight=False)
    return shown if shown.is_terminal else Console(stderr=stderr, highlight=False, width=max(shown.width, 100))


def working(on: str) -> Status:
    """A spinner on stderr, as a context manager; nothing where that is no terminal."""
    return console(stderr=True).status(f"{on} …")


def padded(text: str, columns: int) -> str:
    """A text with blanks up to so many columns of the screen, of which a wide letter takes two and some none.

    >>> padded("山田", 6) + "|", padded("Zoé", 6) + "|"
    ('山田  |', 'Zoé   |')
    """
    return text + " " * max(0, columns - cell_len(text))


def show_figures(heading: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table on stdout: names on the left, figures on the right."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in heading:
        table.add_column(column, justify="left" if column == heading[0] else "right")
    for name, *numbers in rows:
        table.add_row(escape(name), *numbers)
    console().print(table)


def show_losses(losses: dict[str, float]) -> None:
    """The loss and perplexity of each split or text."""
    from handgrad.evaluation import perplexity

    names = {"val": "validation"}
    rows = [(names.get(name, name), f"{loss:.4f}", f"{perplexity(loss):#.5g}") for name, loss in losses.items()]
    show_figures(("loss", "nats a character", "perplexity"), rows)


def show_outcome(folder: Path, outcome: "Outcome", remark: str = "") -> None:
    """The samples of a run, where it is, with a remark, and what can be done with it."""
    show = partial(console().print, soft_wrap=True)  # commands can be copied
    show(f"\n[bold]{len(outcome.samples)} samples[/]")
    for line in outcome.samples:
        show(f"  {escape(padded(line, 24))} [dim]{'known' if line in outcome.known else 'new'}[/]")
    name = escape(shlex.quote(str(folder)))
    show(f"\n[bold]saved[/]   {name}{remark}", soft_wrap=True)
    show(f"[bold]next[/]    handgrad sample {name} -n 50 --new-only", soft_wrap=True)
    show(f"        handgrad evaluate {name} --line {escape(shlex.quote(outcome.samples[0]))}", soft_wrap=True)


def samples_content(outcome: "Outcome") -> list[dict[str, Any]]:
    """The samples of a run, for a program."""
    return [{"line": line, "new": line not in outcome.known} for line in outcome.samples]
