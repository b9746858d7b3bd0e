"""The run that a command is about."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from handgrad.cli.console import console

if TYPE_CHECKING:
    from handgrad.models.trained import Model

RUNS = Path("runs")
Run = Annotated[
    tyro.conf.Positional[Path | None],
    tyro.conf.arg(metavar="[RUN]", help_behavior_hint=f"(default: the newest in '{RUNS}')"),
]


def open_run(command: str, run: Path | None, corpus: Path | None) -> tuple[Path, "Model"]:
    """A run for a command, and its model; where none is named the newest, which is said.

    Raises:
        RunError: there is none, or it is damaged, or the folder is one of runs.
    """
    from handgrad.training.checkpoint import load
    from handgrad.training.folders import newest, refuse_folder_of_runs

    if run is None:
        run = newest(RUNS)
        what = "best trial of the newest sweep" if (run / "trial.json").exists() else "newest run"
        console(stderr=True).print(f"the {what}: {run}", style="dim", markup=False, soft_wrap=True)
    refuse_folder_of_runs(run, f"handgrad {command}")
    return run, load(run, corpus)
