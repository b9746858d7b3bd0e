"""What `handgrad sweep` shows: the text and the plan, the best so far, what came of it."""

import shlex
import time
from collections import Counter
from functools import partial
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from handgrad.cli.console import console
from handgrad.cli.training import show_text
from handgrad.sweep.driver import Sweep
from handgrad.sweep.job import Results
from handgrad.sweep.results import Judged, command, described
from handgrad.training.progress import PLAIN_LINE_SECONDS, clock, is_live

SHOWN, LIVE = 8, 5
"""Recipes in the table of the best: in the end, and while it goes on."""
NEAR = 0.002
"""In nats: a difference that other seeds would blur."""


def show_start(sweep: Sweep, address: str | None) -> None:
    """The text, what is to be tried on it, and where it goes."""
    show, asked = console().print, sweep.asked
    show_text(sweep.text.corpus, sweep.text.splits, sweep.text.reference.distinct)
    many = f"{asked.trials:,} trials" if asked.trials else "as many trials as there is time for"
    show(f"[bold]sweep[/]   {many} of {', '.join(sweep.space.families)}, each of {asked.budget:g} s of a core at most")
    if sweep.trials:
        done = sum(not trial.is_running for trial in sweep.trials.values())
        show(f"        {done:,} are done already")
    if address:
        show(f"[bold]on[/]      the Ray cluster at {escape(address)}")
    show(f"[bold]folder[/]  {escape(str(sweep.folder))}")


class SweepProgress:
    """The best so far, in a terminal or a notebook; elsewhere a plain line now and then. A context manager.

    Args:
        shown: where.
    """

    def __init__(self, shown: Console):  # noqa: D107
        self._live = Live(console=shown, auto_refresh=False, transient=True) if is_live(shown) else None
        self._shown = shown
        self._begun = self._spoken = time.monotonic()

    def __enter__(self) -> "SweepProgress":
        """Begin to show it."""
        if self._live:
            self._live.start()
            self._live.update("starting the workers …", refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Take it away."""
        if self._live:
            self._live.stop()

    def __call__(self, sweep: Sweep) -> None:
        """Something has changed."""
        if self._live:
            self._live.update(self._now(sweep), refresh=True)
        elif time.monotonic() - self._spoken >= PLAIN_LINE_SECONDS:
            self._spoken = time.monotonic()
            best = min((trial.val for trial in sweep.ranked()), default=None)
            so_far = "" if best is None else f", best {best:.4f} on validation"
            self._shown.print(f"{self._counted(sweep)}{so_far}", soft_wrap=True)

    def _now(self, sweep: Sweep) -> Group:
        table = _table()
        compared = [trial for trial in sweep.trials.values() if trial.rungs and trial.origin != "seed"]
        for trial in sorted(compared, key=lambda trial: (trial.status != "finished", trial.val, trial.number))[:LIVE]:
            _add(table, Judged(trial, (trial.val,), (trial.loss["test"],) if trial.loss else ()))
        return Group(self._counted(sweep), table)

    def _counted(self, sweep: Sweep) -> str:
        done, of = sum(not trial.is_running for trial in sweep.trials.values()), sweep.asked.trials
        elapsed, under_way = clock(time.monotonic() - self._begun), len(sweep.trials) - done
        return f"{done:,}{f' of {of:,}' * bool(of)} trials done, {under_way:,} under way, {elapsed} elapsed"


def show_results(sweep: Sweep, results: Results) -> None:
    """The best recipes, by how much they beat the default one, and what can be done with them."""
    show = partial(console().print, soft_wrap=True)  # commands can be copied
    table = _table()
    chosen = results.recipes[:SHOWN]
    default = results.default
    for one in [*chosen, *([default] if default and default not in chosen else [])]:
        _add(table, one)
    show()
    console().print(table)
    if others := _others(sweep, len(results.recipes) - table.row_count):
        show(f"{others}: all are in sweep.csv", style="dim")
    if sweep.is_exhausted:
        show("There are no other recipes in the space: each was tried once.", style="dim")
    best = results.best
    folder = sweep.folder / best.trial.name
    show(f"\n[bold]best[/]    {best.trial.name}, {_compared(best, default)}")
    show(f"        {escape(command(best.trial.config, sweep.text.reference))}")
    if results.mixed:
        mixed, of_default = results.mixed
        folder, loss = mixed.folder, mixed.outcome.losses
        beside = f"the default recipe with its n-gram {of_default['val']:.4f} and {of_default['test']:.4f}"
        show(f"[bold]mixed[/]   {escape(str(folder))}: {loss['val']:.4f} on validation, {loss['test']:.4f} on test;")
        show(f"        {beside}")
    for trial in sweep.trials.values():
        if trial.status == "lost":
            show(f"{trial.name} is lost: {escape(trial.note)}", style="yellow")
    name = escape(shlex.quote(str(sweep.folder)))
    show(f"[bold]saved[/]   {name} (all trials are in sweep.csv, their picture is sweep.png)")
    show(f"[bold]next[/]    handgrad sample {escape(shlex.quote(str(folder)))} -n 50 --new-only")


def _others(sweep: Sweep, finished: int) -> str:
    """What became of those that are not in the table."""
    became = {"stopped": "stopped early", "diverged": "diverged", "lost": "lost"}
    many = Counter[str](trial.status for trial in sweep.trials.values())
    said = [f"{finished:,} more came to their end"] * (finished > 0)
    return ", ".join(said + [f"{many[status]:,} {words}" for status, words in became.items() if many[status]])


def content_of(sweep: Sweep, results: Results) -> dict[str, Any]:
    """What came of it, for a program."""
    content: dict[str, Any] = {
        "sweep": str(sweep.folder),
        "trials": len(sweep.trials),
        "exhausted": sweep.is_exhausted,
        "best": _content(results.best),
        "command": command(results.best.trial.config, sweep.text.reference),
        "default": _content(results.default) if results.default else None,
        "recipes": [_content(one) for one in results.recipes],
    }
    if results.mixed:
        mixed, of_default = results.mixed
        content["mix"] = {"run": str(mixed.folder), "loss": mixed.outcome.losses, "default": of_default}
    return content


def _content(one: Judged) -> dict[str, Any]:
    trial = one.trial
    return {
        "trial": trial.name, "model": trial.config.model, "recipe": described(trial.config),
        "steps": trial.step, "planned": trial.config.steps,
        "seconds": trial.seconds, "val": one.mean, "test": one.mean_test, "standard_deviation": one.deviation,
        "seeds": len(one.val),
    }  # fmt: skip


def _compared(best: Judged, default: Judged | None) -> str:
    """The best beside the default recipe."""
    said = f"{_figure(best)} on validation, {best.mean_test:.4f} on test"
    if default is None:
        return said
    if best.trial == default.trial:
        return f"{said}: it is the default recipe, which none here beats"
    gain, of_test = default.mean - best.mean, default.mean_test - best.mean_test
    close = ", which is no more than seeds differ by" * (gain < max(NEAR, default.deviation or 0, best.deviation or 0))
    return f"{said}: {gain:.4f} and {of_test:.4f} less than the default recipe{close}"


def _figure(one: Judged) -> str:
    return f"{one.mean:.4f}" + (f" ± {one.deviation:.4f}" if one.deviation is not None else "")


def _table() -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("trial", "model", "recipe"):
        table.add_column(heading, overflow="fold")
    for heading in ("steps", "seconds", "validation", "test"):
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _add(table: Table, one: Judged) -> None:
    trial = one.trial
    recipe = f"{described(trial.config)}{' (default)' * (trial.origin == 'default')}"
    steps = f"{trial.step:,}" + f" of {trial.config.steps:,}" * (trial.step < trial.config.steps)
    test = f"{one.mean_test:.4f}" if one.test else ""
    table.add_row(trial.name, trial.config.model, recipe, steps, f"{trial.seconds:.1f}", _figure(one), test)
