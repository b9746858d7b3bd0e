"""What commands show: results on stdout, progress and remarks on stderr."""

import time
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.status import Status
from rich.table import Table

PLAIN_LINE_SECONDS = 5.0


def console(stderr: bool = False) -> Console:
    """A console that never wraps at less than 80 columns and leaves numbers in peace."""
    shown = Console(stderr=stderr, highlight=False)
    return shown if shown.is_terminal else Console(stderr=stderr, highlight=False, width=max(shown.width, 100))


def working(on: str) -> Status:
    """A spinner on stderr, as a context manager; nothing where that is no terminal."""
    return console(stderr=True).status(f"{on} …")


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


class TrainingProgress:
    """A bar with loss, steps/s and time left; where stderr is no terminal, a plain line now and then.

    Use it as a context manager, and call it as `handgrad.training.loop.Progress` says.
    """

    def __init__(self, done: int, steps: int):  # noqa: D107
        self.steps = steps
        self.spoken = time.monotonic()
        self.first: tuple[float, int] | None = None
        self.console = console(stderr=True)
        self.bar = Progress(
            TextColumn("training"), BarColumn(24), MofNCompleteColumn(), TextColumn("{task.fields[status]}"),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=self.console,
            disable=not self.console.is_terminal,
        )  # fmt: skip
        self.task = self.bar.add_task("training", total=steps, completed=done, status="")

    def __enter__(self) -> "TrainingProgress":
        """Show the bar."""
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        self.bar.stop()

    def __call__(self, step: int, losses: np.ndarray) -> None:
        """Show how far training has come."""
        now = time.monotonic()
        self.first = begun, done = self.first or (now, step)  # what came before was mostly loading torch
        pace = (step - done) / (now - begun) if step > done else 0.0
        status = f"loss {losses.mean():.4f}" + (f", {pace:,.0f} steps/s" if pace else "")
        self.bar.update(self.task, completed=step, status=status)
        if self.bar.disable and (now - self.spoken >= PLAIN_LINE_SECONDS or step == self.steps):
            left = f", {timedelta(seconds=round((self.steps - step) / pace))} left" if pace else ""
            self.console.print(f"step {step:,} of {self.steps:,}: {status}{left}")
            self.spoken = now
