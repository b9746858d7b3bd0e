"""`handgrad check`."""

import contextlib
import json as json_format
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from handgrad.errors import HandgradError


def check(
    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")],
    loss: str | None = None,
    json: bool = False,
    hint: Literal[1, 2, 3] | None = None,
    fix: bool = False,
    write: bool = False,
    strict: bool = False,
    data: Path | None = None,
    timeout: float = 60.0,
    watch: bool = False,
) -> int:
    """Check the gradients that a script or notebook computes by hand: which line is wrong, why, what it should be.

    The file is checked as it is: a forward pass in named steps, a scalar loss, and lines that compute dNAME for a
    NAME of the forward pass. Training loops are run for two steps. Exit code 0: all right, 1: a line is at fault,
    2: the file cannot be checked.

    example:
      handgrad check backprop.ipynb --fix

    Args:
        file: a .py or .ipynb file.
        loss: the name of the loss, where it is not called loss.
        json: print the report as JSON.
        hint: how much to give away: 1 the line, 2 what kind of mistake, 3 the answer.
        fix: show each wrong line as it should be.
        write: with --fix, write these lines into the file; the old file is kept beside it.
        strict: a gradient that is not there, or whose shape only broadcasts, is a fault too.
        data: a folder with files that the program reads.
        timeout: seconds the program may take.
        watch: check again each time the file is saved, until Ctrl-C.
    """
    if write and not fix:
        raise HandgradError("--write needs --fix", where="--write", next_step="Say --fix --write to change the file.")

    def once() -> int:
        from handgrad.checker.inspection import check_file

        report = check_file(file, loss=loss, data=data, timeout=timeout, strict=strict)
        report.hint, report.show_fix = hint or 2, fix
        _show(report, json)
        if write and not report.right:
            _write(report, file, json)
        return 2 if report.faults else 0 if report.right else 1

    return _watch(once, file) if watch else once()


COMMAND = check


def main(words: Sequence[str]) -> int:
    """Run the command with the words that follow its name."""
    markers = (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes)
    return tyro.cli(check, prog="handgrad check", args=list(words), config=markers)


def _show(report, as_json: bool) -> None:
    if as_json:
        print(json_format.dumps(report.to_json(), indent=2, allow_nan=False))
        for note in report.notes:
            print(f"handgrad: note: {note}", file=sys.stderr)
        return
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=max(console.width, 120))
    console.print(report, soft_wrap=True)


def _write(report, file: Path, as_json: bool) -> None:
    from handgrad.checker.mend import mend

    mended, backup = mend(report, file)
    if mended:
        lines = "line" if mended == 1 else "lines"
        print(f"{mended} {lines} written; the old file is {backup}.", file=sys.stderr if as_json else sys.stdout)


def _watch(once, file: Path) -> int:
    """Check now and after each save; Ctrl-C ends it with the last answer."""
    code, seen = 0, None
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            stamp = file.stat().st_mtime_ns if file.is_file() else None
            if stamp != seen:
                seen = stamp
                try:
                    code = once()
                except HandgradError as error:
                    code = 2
                    print(f"handgrad: {error}", file=sys.stderr)
                print(f"watching {file}; Ctrl-C ends", flush=True)
            time.sleep(0.2)
    return code
