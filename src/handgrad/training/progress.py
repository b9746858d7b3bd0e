"""How training goes, shown by rich: in a terminal, in a notebook, or line by line."""

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

if TYPE_CHECKING:
    from handgrad.training.loop import Progress as Reported
    from handgrad.training.loop import Report

PLAIN_LINE_SECONDS = 5.0
ROOM_FOR_ALL = 96
"""Columns that the line of a run takes, without its bar."""


def is_live(console: Console) -> bool:
    """Whether what it shows can change: in a terminal, or in a notebook."""
    return console.is_terminal or console.is_jupyter


def clock(seconds: float) -> str:
    """A time as people read it off a watch, which is no count of steps.

    >>> clock(7.6), clock(75), clock(3 * 3600 + 61)
    ('8s', '1m 15s', '3h 01m')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    return f"{whole // 60}m {whole % 60:02}s" if whole < 3600 else f"{whole // 3600}h {whole // 60 % 60:02}m"


class TrainingProgress:
    """A bar a run with loss, steps/s and time left, in a terminal or a notebook; elsewhere a plain line now and then.

    Use it as a context manager; `of` makes what is called as `handgrad.training.loop.Progress` says.

    Args:
        console: where it is shown.
        also: is told what it is told.
    """

    def __init__(self, console: Console, also: "Reported | None" = None):  # noqa: D107
        self.console, self._also = console, also
        self.bars = Progress(
            TextColumn("{task.description}"), BarColumn(self._room()), MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"), _Times(), console=self.console,
            disable=not is_live(console),
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
            if self._also:
                self._also(report)
            now, step = time.monotonic(), report.step
            if not begun:
                begun, first = now, step  # what came before was mostly loading
            pace = (step - first) / (now - begun) if step > first else 0.0
            validation = "" if report.val_loss is None else f", validation {report.val_loss:.4f}"
            fast = f", {pace:,.{int(pace < 10)}f} steps/s" if pace and self.console.width >= ROOM_FOR_ALL else ""
            status = f"loss {report.losses.mean():.4f}{validation}{fast}"
            self.bars.update(task, completed=step, total=report.steps, status=status)
            if self.bars.disable and (now - spoken >= PLAIN_LINE_SECONDS or step == report.steps):
                left = f", {clock((report.steps - step) / pace)} left" if pace and step < report.steps else ""
                self.console.print(f"{run}{': ' * bool(run)}step {step:,} of {report.steps:,}: {status}{left}")
                spoken = now

        return show


class PreparationProgress:
    """A bar while a large text is prepared, where there is a terminal or a notebook; see `handgrad.preparing`.

    Args:
        console: where it is shown.
    """

    def __init__(self, console: Console):  # noqa: D107
        self._console = console
        self._bars: Progress | None = None

    def __call__(self, what: str, done: float) -> None:
        """So much of it is done; without a word, all."""
        if not what:
            if self._bars:
                self._bars.stop()
            self._bars = None
        elif is_live(self._console):
            if self._bars is None:
                columns = TextColumn("{task.description}"), BarColumn(24), _Times()
                self._bars = Progress(*columns, console=self._console, transient=True)
                self._bars.start()
            if not self._bars.tasks or self._bars.tasks[0].description != what:
                for task in self._bars.task_ids:
                    self._bars.remove_task(task)
                self._bars.add_task(what, total=1.0)
            self._bars.update(self._bars.task_ids[0], completed=done)


class _Times(ProgressColumn):
    """How long it has taken, and how long it will."""

    def render(self, task: Task) -> Text:
        left = "" if task.time_remaining is None or task.finished else f", {clock(task.time_remaining)} left"
        return Text(f"{clock(task.elapsed or 0)} elapsed{left}", style="progress.elapsed")
