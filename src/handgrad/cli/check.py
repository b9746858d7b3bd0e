"""`handgrad check`."""

import contextlib
import json as json_format
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from handgrad.cli.parse import call
from handgrad.errors import ConfigError, HandgradError

if TYPE_CHECKING:
    from handgrad.checker import Report

LOOK_EVERY_MS = 100
CLEAR = "\x1b[H\x1b[2J\x1b[3J"
"""Moves to the top of a terminal and empties it, what has scrolled away too."""


def check(
    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")],
    loss: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = None,
    data: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")] = None,
    hint: Annotated[Literal[1, 2, 3] | None, tyro.conf.arg(help_behavior_hint="")] = None,
    fix: bool = False,
    write: bool = False,
    prove: bool = False,
    strict: bool = False,
    timeout: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 60.0,
    watch: bool = False,
    json: bool = False,
    format: Literal["table", "json", "short", "github", "sarif"] = "table",
) -> int:
    """Say which gradient line of a script or notebook is wrong, why, and what it should be.

    The file is checked as it is: a forward pass in named steps, a scalar loss, and lines that compute dNAME for a NAME
    of the forward pass. Training loops are run for two steps. Exit code 0: all right, 1: a gradient is at fault, 2: the
    file cannot be run as it is; what can be judged of it is shown all the same.

    examples:
      handgrad check backprop.ipynb
      handgrad check backprop.py --fix --watch

    Args:
        file: A .py or .ipynb file.
        loss: The name of the loss, where it is not clear.
        data: A folder with files that the program reads, where they are not beside it.
        hint: How much to give away: 1 the line, 2 what kind of mistake too, 3 the answer too.
        fix: Show each wrong line as it should be.
        write: With '--fix', write these lines into the file; the old file is kept beside it.
        prove: Say which right lines are right whatever the numbers, by algebra.
        strict: A gradient that is not there, or whose shape only broadcasts, is a fault too.
        timeout: How long the program may run.
        watch: Check again each time the file, or a module beside it that it imports, is saved, until Ctrl-C.
        json: Print the report as JSON; the same as '--format json'.
        format: The table; JSON; a line for each mistake, as compilers write them; annotations of GitHub; or SARIF.
    """
    if write and not fix:
        raise ConfigError("it needs --fix", where="--write", next_step="Say --fix --write to change the file.")
    if not timeout > 0:
        raise ConfigError("a time limit makes no sense", got=timeout, expected="above 0", where="--timeout")

    def once() -> int:
        from handgrad.checker.faces.calls import check_program

        with unheard():
            report = check_program(file, loss=loss, data=data, timeout=timeout, strict=strict)
        report.hint, report.show_fix, report.show_proofs = hint, fix, prove
        try:
            _show(report, "json" if json else format)
        except BrokenPipeError:  # the reader, 'head' say, has had enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if write and not report.right:
            _write(report, file)
        if report.faults:
            return 2
        return 0 if report.right else 1

    return _watched(once, file) if watch else once()


def main(words: list[str]) -> int | None:
    """Parse and run the command; why nothing can be checked is said in the format that was asked for too."""
    try:
        return call(check, "handgrad check", words)
    except (HandgradError, ImportError) as error:
        if (asked := _format(words)) == "json":
            nothing: dict[str, list[str]] = {"variables": [], "hazards": [], "unjudged": [], "notes": []}
            _print_json({"loss": None, "right": False, **nothing, "errors": [str(error)]})
        elif asked in ("github", "sarif") and not isinstance(error, ImportError):
            from handgrad.checker import Report
            from handgrad.checker.render import FORMATS

            print(FORMATS[asked](Report(None, faults=[str(error)])))
        raise


def _format(words: list[str]) -> str:
    """The format that the words ask for, whatever is wrong with the others."""
    if "--json" in words:
        return "json"
    said = [word.removeprefix("--format=") for word in words if word.startswith("--format=")]
    return next((value for flag, value in pairwise(words) if flag == "--format"), said[0] if said else "table")


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Whatever the program and its children do with the standard streams is lost, down to the file descriptors."""
    _flush()
    saved = {}
    for number in (0, 1, 2):
        with contextlib.suppress(OSError):  # it may be closed
            saved[number] = os.dup(number)
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in saved:
            os.dup2(nothing, number)
        os.close(nothing)
        yield
    finally:
        _flush()
        for number, copy in saved.items():
            os.dup2(copy, number)
            os.close(copy)


def _flush() -> None:
    for stream in (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(ValueError, OSError):  # the program may have closed it
            if stream is not None:
                stream.flush()


def _show(report: "Report", format: str) -> None:
    """The report on stdout; on stderr the lines that Python refuses or that raise, and beside JSON the notes."""
    if format == "json":
        _print_json(report.to_json())
    elif format == "table":
        from handgrad.cli.console import console

        console().print(replace(report, faults=[]), soft_wrap=True)
    else:
        from handgrad.checker.render import FORMATS

        if told := FORMATS[format](report):
            print(told)
    for said in [*report.faults, *(f"note: {note}" for note in report.notes if format != "table")]:
        print(f"handgrad: {said}", file=sys.stderr)


def _print_json(content: dict[str, Any]) -> None:
    ascii_only = "utf" not in sys.stdout.encoding.lower()
    print(json_format.dumps(content, indent=2, ensure_ascii=ascii_only, allow_nan=False))


def _write(report: "Report", file: Path) -> None:
    from handgrad.checker.faces.mend import mend

    mended, backup = mend(report, file)
    if mended:
        lines = "line" if mended == 1 else "lines"
        print(f"handgrad: {mended} {lines} written; the old file is {backup}.", file=sys.stderr)
    else:
        print("handgrad: nothing was written: no single edit makes a line right.", file=sys.stderr)


def _watched(once: Callable[[], int], file: Path) -> int:
    """Check now and after each save of the file or of a module it imports; Ctrl-C ends it with the last answer."""
    from handgrad.checker.read.local_modules import files_of
    from handgrad.checker.read.source import read_source

    read_source(file)
    code = 0
    with contextlib.suppress(KeyboardInterrupt):
        files: set[Path] = files_of(file)
        for _ in _saves(files):
            if sys.stdout.isatty():
                print(CLEAR, end="", flush=True)
            try:
                code = once()
            except HandgradError as error:
                code = 2
                print(f"handgrad: {error}", file=sys.stderr)
            print(f"watching {file}; Ctrl-C ends", file=sys.stderr, flush=True)
            files |= files_of(file)
    return code


def _saves(files: set[Path]) -> Iterator[None]:
    """Once now, then after each save of one of the files, which may become more in the meantime."""
    from watchfiles import watch

    due = True
    while True:
        folders = {path.parent for path in files}
        changes_of = watch(
            *folders,
            watch_filter=lambda _, path: Path(path) in files,
            rust_timeout=LOOK_EVERY_MS,
            yield_on_timeout=True,
            recursive=False,
            raise_interrupt=True,
        )
        for changes in changes_of:
            if due or changes:
                due = False
                yield
            if {path.parent for path in files} != folders:
                break
