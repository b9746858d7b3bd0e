"""What commands show: results on stdout, progress and remarks on stderr."""

import shlex
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.status import Status
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from handgrad.training.loop import Progress as Reported
    from handgrad.training.loop import Report
    from handgrad.training.run import Outcome

PLAIN_LINE_SECONDS = 5.0
ROOM_FOR_ALL = 96
"""Columns that the line of a run takes, without its bar."""


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


def clock(seconds: float) -> str:
    """A time as people read it off a watch, which is no count of steps.

    >>> clock(7.6), clock(75), clock(3 * 3600 + 61)
    ('8s', '1m 15s', '3h 01m')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    return f"{whole // 60}m {whole % 60:02}s" if whole < 3600 else f"{whole // 3600}h {whole // 60 % 60:02}m"


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
    show(f"\n[bold]saved[/]   {name}{remark}")
    show(f"[bold]next[/]    handgrad sample {name} -n 50 --new-only")
    show(f"        handgrad evaluate {name} --line {escape(shlex.quote(outcome.samples[0]))}")


def samples_content(outcome: "Outcome") -> list[dict[str, Any]]:
    """The samples of a run, for a program."""
    return [{"line": line, "new": line not in outcome.known} for line in outcome.samples]


class TrainingProgress:
    """A bar a run with loss, steps/s and time left; where stderr is no terminal, a plain line now and then.

    Use it as a context manager; `of` makes what is called as `handgrad.training.loop.Progress` says.
    """

    def __init__(self):  # noqa: D107
        self.console = console(stderr=True)
        self.bars = Progress(
            TextColumn("{task.description}"), BarColumn(self._room()), MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"), _Times(), console=self.console,
            disable=not self.console.is_terminal,
        )  # fmt: skip

    def _room(self) -> int:
        """How long the bar may be, so that the rest of the line keeps its place."""
        return max(4, min(24, self.console.width - ROOM_FOR_ALL))

    def __enter__(self) -> "TrainingProgress":
        """Show the bars."""
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bars away."""
        self.bars.stop()

    def of(self, run: str = "", done: int = 0, steps: int | None = None) -> "Reported":
        """The bar of one run, `done` steps of which are done already."""
        task = self.bars.add_task(run or "training", total=steps, completed=done, status="")
        begun, first, spoken = 0.0, 0, time.monotonic()

        def show(report: "Report") -> None:
            nonlocal begun, first, spoken
            now, step = time.monotonic(), report.step
            if not begun:
                begun, first = now, step  # what came before was mostly loading
            pace = (step - first) / (now - begun) if step > first else 0.0
            validation = "" if report.val_loss is None else f", validation {report.val_loss:.4f}"
            fast = f", {pace:,.0f} steps/s" if pace and self.console.width >= ROOM_FOR_ALL else ""
            status = f"loss {report.losses.mean():.4f}{validation}{fast}"
            self.bars.update(task, completed=step, total=report.steps, status=status)
            if self.bars.disable and (now - spoken >= PLAIN_LINE_SECONDS or step == report.steps):
                left = f", {clock((report.steps - step) / pace)} left" if pace and step < report.steps else ""
                self.console.print(f"{run}{': ' * bool(run)}step {step:,} of {report.steps:,}: {status}{left}")
                spoken = now

        return show


class _Times(ProgressColumn):
    """How long it has taken, and how long it will."""

    def render(self, task: Task) -> Text:
        left = "" if task.time_remaining is None or task.finished else f", {clock(task.time_remaining)} left"
        return Text(f"{clock(task.elapsed or 0)} elapsed{left}", style="progress.elapsed")
