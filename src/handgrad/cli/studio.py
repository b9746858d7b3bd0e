"""`handgrad studio`."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from handgrad.cli.parse import call
from handgrad.errors import ConfigError


def studio(
    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")],
    *,
    hint: Literal[1, 2, 3] = 2,
    loss: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = None,
    data: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")] = None,
    timeout: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 60.0,
    port: int = 0,
    no_browser: bool = False,
    html: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None,
) -> int:
    """Look at the gradients of a script or notebook in the browser: what flows where, and which line is wrong.

    The page is served on this machine alone, until Ctrl-C. The file is judged again at each save, as by
    'handgrad check'; it can be edited in the page too, and the old file is kept beside it.

    examples:
      handgrad studio backprop.ipynb
      handgrad studio backprop.py --no-browser --port 8899
      handgrad studio backprop.py --html backprop.html

    Args:
        file: A .py or .ipynb file.
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
    _require(file)
    try:
        from handgrad.studio.serving import serve
        from handgrad.studio.views.backward import BackwardView
        from handgrad.studio.views.derivation import DerivationView
        from handgrad.studio.written import written_page
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn", "watchfiles"):
            raise
        raise ConfigError(
            f"the page needs {error.name}", next_step="Install it with: pip install 'handgrad[studio]'."
        ) from None
    path, options = file.resolve(), {"loss": loss, "data": data, "timeout": timeout}
    if html is not None:
        html.write_text(written_page(path, hint=hint, **options), encoding="utf-8")
        print(f"{html} is written.")
        return 0
    views = [BackwardView(path, hint=hint, **options), DerivationView(path, **options)]
    serve(views, port=port, browser=not no_browser)
    return 0


def _require(file: Path) -> None:
    """See that there is something to show.

    Raises:
        ConfigError: there is not.
    """
    if not file.exists():
        raise ConfigError("there is no such file", where=file, next_step="Give the path of a .py or .ipynb file.")
    if file.suffix not in (".py", ".ipynb") or not file.is_file():
        raise ConfigError("this is nothing to look at", where=file, expected="a .py or .ipynb file")


def main(words: list[str]) -> int | None:
    """Parse and run the command."""
    return call(studio, "handgrad studio", words)
