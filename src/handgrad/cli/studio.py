"""`handgrad studio`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from handgrad.cli.parse import call
from handgrad.cli.runs_at_hand import RUNS
from handgrad.errors import ConfigError

if TYPE_CHECKING:
    from handgrad.studio.views.view import View


def studio(
    shown: Annotated[
        tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[FILE | RUN ...]", help_behavior_hint="")
    ] = (),
    *,
    hint: Literal[1, 2, 3] = 2,
    loss: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = None,
    data: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")] = None,
    timeout: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 60.0,
    port: int = 0,
    no_browser: bool = False,
    html: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None,
) -> int:
    """Look in the browser at the gradients of a script or notebook, line by line, or at runs while they are trained.

    The page is served on this machine alone, until Ctrl-C. The file is judged again at each save, as by
    'handgrad check'; it can be edited in the page too, and the old file is kept beside it. Of runs it shows the losses,
    and at each checkpoint samples, layers, letters and what comes next; without a name, of the newest in 'runs'.

    examples:
      handgrad studio backprop.ipynb
      handgrad studio backprop.py --no-browser --port 8899
      handgrad studio backprop.py --html backprop.html
      handgrad studio runs/towns towns-2
      handgrad studio runs/towns --html towns.html

    Args:
        shown: A .py or .ipynb file, or one or several runs, as paths or by their names in 'runs'.
        hint: How much to give away unasked: 1 the line, 2 what kind of mistake too, 3 the answer too.
        loss: The name of the loss, where it is not clear.
        data: A folder with files that the program reads, where they are not beside it.
        timeout: How long the program may run.
        port: Where to serve the page; 0 stands for any port that is free.
        no_browser: Print the address only.
        html: Write the page into this file, with all that it shows, and end.
    """
    if not timeout > 0:
        raise ConfigError("a time limit makes no sense", got=timeout, expected="above 0", where="--timeout")
    file, runs = _sorted(shown)
    try:
        from handgrad.studio.serving import serve
        from handgrad.studio.views.backward import BackwardView
        from handgrad.studio.views.derivation import DerivationView
        from handgrad.studio.views.training import TrainingView
        from handgrad.studio.written import written_page, written_runs
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn", "watchfiles"):
            raise
        raise ConfigError(
            f"the page needs {error.name}", next_step="Install it with: pip install 'handgrad[studio]'."
        ) from None
    options = {"loss": loss, "data": data, "timeout": timeout}
    path = file and file.resolve()
    if html is not None:
        if path and runs:
            raise ConfigError("one page is written as a file, about a program or about runs", where="--html")
        page = written_page(path, hint=hint, **options) if path else written_runs(runs)
        html.write_text(page, encoding="utf-8")
        print(f"{html} is written.")
        return 0
    views: list[View] = []
    if path:
        views += [BackwardView(path, hint=hint, **options), DerivationView(path, **options)]
    if runs:
        views.append(TrainingView(runs))
    serve(views, port=port, browser=not no_browser)
    return 0


def _sorted(shown: tuple[Path, ...]) -> tuple[Path | None, list[Path]]:
    """The file and the runs among what is to be shown.

    Raises:
        ConfigError: there are several files, or one that is nothing to look at.
        RunError: there is no such run.
    """
    programs = [path for path in shown if path.suffix in (".py", ".ipynb") and not path.is_dir()]
    if len(programs) > 1:
        raise ConfigError("one page shows one file", got=", ".join(map(str, programs)))
    for path in programs:
        if not path.exists():
            raise ConfigError("there is no such file", where=path, next_step="Give the path of a .py or .ipynb file.")
    runs = [_run(path) for path in shown if path not in programs] if shown else [_newest()]
    return (programs[0] if programs else None), runs


def _run(named: Path) -> Path:
    from handgrad.training.folders import refuse_folder_of_runs

    found = next((path for path in (named, RUNS / named) if (path / "config.json").is_file()), None)
    if found is not None:
        return found
    refuse_folder_of_runs(named, "handgrad studio")
    if named.is_file():
        raise ConfigError("this is nothing to look at", where=named, expected="a .py or .ipynb file, or a run")
    raise ConfigError(
        "there is no such file or run", where=named, next_step="'handgrad runs' lists the runs that there are."
    )


def _newest() -> Path:
    from handgrad.training.folders import best_beside, runs_in

    runs = runs_in(RUNS)
    if not runs:
        raise ConfigError("there is nothing to show: no file is named, and there is no run in 'runs'",
                          next_step="Name a .py or .ipynb file, or train with 'handgrad train'.")  # fmt: skip
    return best_beside(runs[0])


def main(words: list[str]) -> int | None:
    """Parse and run the command."""
    return call(studio, "handgrad studio", words)
