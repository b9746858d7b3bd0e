"""`handgrad runs`."""

import json as json_format
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from handgrad.cli.console import console
from handgrad.cli.parse import call
from handgrad.errors import ConfigError
from handgrad.training.progress import clock

if TYPE_CHECKING:
    from handgrad.training.listing import Listed, Listing


def runs(
    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="[FOLDER]")] = Path("runs"),
    *,
    plot: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None,
    json: bool = False,
) -> None:
    """List the runs in a folder, newest first: text, model, steps, time and losses.

    The losses are in nats a character, on the splits to train on, to validate and to test; of a run of several seeds
    those of the best. Where the screen is too narrow for all columns, the least important are left out.

    examples:
      handgrad runs
      handgrad runs experiments --plot curves.png

    Args:
        folder: Where the runs are; in folders inside it, too.
        plot: Draw their curves into this file: on the validation split, else on minibatches.
        json: Print the list as JSON.
    """
    from handgrad.training.listing import listing

    if plot is not None and (plot.is_dir() or not os.access(plot.parent, os.W_OK)):
        place = "a file in a folder that can be written to"
        raise ConfigError("no picture can be written there", where=plot, expected=place)
    found = listing(folder)
    if json:
        print(json_format.dumps(_content(found), ensure_ascii=False, indent=2))
    else:
        _show(found, folder)
    if plot is not None:
        _draw(found, folder, plot)


def main(words: list[str]) -> None:
    """Parse and run the command."""
    call(runs, "handgrad runs", words)


def _content(found: "Listing") -> dict[str, Any]:
    each = [{**asdict(listed), "run": str(listed.run), "model": listed.model} for listed in found.runs]
    return {"runs": each, "damaged": [{"run": str(run), "error": str(error)} for run, error in found.damaged.items()]}


def _show(found: "Listing", folder: Path) -> None:
    if found.runs:
        show = console()
        show = show if show.is_terminal else Console(highlight=False, width=WIDE)
        show.print(_table(found.runs, folder, show.width))
    elif not found.damaged:
        console(stderr=True).print(f"There are no runs in {escape(str(folder))}; 'handgrad train' makes one.")
    unfinished = [listed.run for listed in found.runs if not listed.finished]
    texts = [f"{run} is not finished: 'handgrad train --resume {run}' goes on." for run in unfinished]
    if len(unfinished) > FEW:
        texts = [f"{len(unfinished)} runs are not finished: 'handgrad train --resume RUN' goes on with one."]
    for text in texts:
        console(stderr=True).print(escape(text), style="yellow", soft_wrap=True)
    for error in found.damaged.values():
        console(stderr=True).print(escape(str(error)), style="red", soft_wrap=True)


FEW = 3
"""So many runs that are not finished are told of one by one."""

WIDE = 10_000
"""Columns of what is no screen, where nothing has to be left out."""


@dataclass(frozen=True)
class Column:
    """A column of the table; the most important, with the least `rank`, stay on a narrow screen."""

    heading: str
    rank: int
    cell: "Callable[[Listed, Path], str]"
    right: bool = True


COLUMNS = (
    Column("run", 0, lambda run, folder: _name(run, folder), right=False),
    Column("text", 7, lambda run, _: escape(run.text), right=False),
    Column("model", 2, lambda run, _: run.model, right=False),
    Column("parameters", 8, lambda run, _: _parameters(run)),
    Column("steps", 3, lambda run, _: _steps(run)),
    Column("time", 4, lambda run, _: "" if run.seconds is None else clock(run.seconds)),
    Column("train", 9, lambda run, _: _loss(run, "train")),
    Column("validation", 1, lambda run, _: _loss(run, "val")),
    Column("test", 6, lambda run, _: _loss(run, "test")),
    Column("when", 5, lambda run, _: f"{datetime.fromisoformat(run.created):%Y-%m-%d %H:%M}"),
)


def _table(found: "list[Listed]", folder: Path, width: int) -> Table:
    """With as many columns as there is room for."""
    chosen: list[Column] = []
    for column in sorted(COLUMNS, key=lambda column: column.rank):
        if not chosen or Console(width=WIDE).measure(_table_of([*chosen, column], found, folder)).maximum <= width:
            chosen.append(column)
    return _table_of([column for column in COLUMNS if column in chosen], found, folder)


def _table_of(columns: list[Column], found: "list[Listed]", folder: Path) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column.heading, justify="right" if column.right else "left", overflow="fold")
    for listed in found:
        table.add_row(*(column.cell(listed, folder) for column in columns))
    return table


def _name(listed: "Listed", folder: Path) -> str:
    return f"[bold]{escape(str(_inside(listed, folder)))}[/]" + f" × {listed.seeds} seeds" * (listed.seeds > 1)


def _inside(listed: "Listed", folder: Path) -> Path:
    return listed.run if listed.run == folder else listed.run.relative_to(folder)


def _parameters(listed: "Listed") -> str:
    if listed.parameters is None:
        return ""
    return f"{listed.parameters:,}" if listed.parameters else "counted"


def _steps(listed: "Listed") -> str:
    if listed.finished:
        return f"{listed.steps:,}" if listed.steps else ""
    planned = "" if listed.planned is None else f" of {listed.planned:,}"
    return f"[yellow]{listed.steps:,}{planned}, unfinished[/]"


def _loss(listed: "Listed", split: str) -> str:
    return f"{listed.loss[split]:.4f}" if split in listed.loss else ""


def _draw(found: "Listing", folder: Path, plot: Path) -> None:
    """Draw the curves of the newest runs that have one, and say which are left out."""
    from handgrad.errors import RunError
    from handgrad.training.listing import curve_of
    from handgrad.training.overlay import MOST, Shown, overlay

    shown = []
    for listed in found.runs:
        try:
            curve = curve_of(listed.run)
        except RunError as error:
            console(stderr=True).print(escape(str(error)), style="red", soft_wrap=True)
            continue
        level = listed.loss.get("val")
        if curve is not None or level is not None:
            inside = str(_inside(listed, folder))
            name = inside if inside == listed.model else f"{inside} ({listed.model})"
            shown.append(Shown(name, curve, level, mixed=len(listed.models) > 1))
    if not shown:
        raise ConfigError("no run here has a curve yet", where=folder, next_step="'handgrad train' makes some.")
    if len(shown) > MOST:
        remark = f"The picture has the {MOST} newest of {len(shown)} runs."
        console(stderr=True).print(remark, style="dim")
    plot.write_bytes(overlay(shown[:MOST], f"{len(shown[:MOST])} runs in {folder}"))
