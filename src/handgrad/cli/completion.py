"""`handgrad completion`, and the answers to a shell that completes a line by what it printed."""

import argparse
import importlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from handgrad.cli import COMMANDS
from handgrad.cli.parse import Argument, arguments_of, call

TAKES = {"train": "Train", "bench": "Bench", "learn": "watch"}
"""What describes the arguments of a command, in its module, where it is not named like the command."""
GROUPS = {"data": "COMMAND", "learn": "COMMANDS"}
"""The commands of a command, in its module."""


def completion(
    shell: Annotated[tyro.conf.Positional[Literal["bash", "zsh", "fish"]], tyro.conf.arg(metavar="SHELL")],
) -> None:
    """Print the script that lets a shell complete commands, options, choices, runs and files of 'handgrad' by Tab.

    examples:
      eval "$(handgrad completion bash)"     a line for ~/.bashrc
      eval "$(handgrad completion zsh)"      a line for ~/.zshrc, below that with compinit
      handgrad completion fish | source      a line for ~/.config/fish/config.fish

    Args:
        shell: Which shell: bash, zsh or fish.
    """
    import argcomplete

    print(argcomplete.shellcode(["handgrad"], use_defaults=False, shell=shell), end="")


def main(words: list[str]) -> None:
    """Parse and run the command."""
    call(completion, "handgrad completion", words)


def answer() -> None:
    """Tell the shell what may follow the words of its line, and end; the shell says them in the environment."""
    import argcomplete
    from argcomplete.completers import SuppressCompleter

    parser = argparse.ArgumentParser("handgrad")
    parser.add_argument("--version", action="store_true")
    words = os.environ.get("COMP_LINE", "").split()[1:]
    commands = parser.add_subparsers()
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text)
        if words[:1] == [name]:
            _fill(command, name)
    commands.add_parser("help", help="show the help of a command").add_argument("command", choices=COMMANDS)
    argcomplete.autocomplete(parser, always_complete_options=False, default_completer=SuppressCompleter())


def _fill(parser: argparse.ArgumentParser, name: str) -> None:
    """Give the parser of a command its arguments, and its own commands."""
    module, program = importlib.import_module(f"handgrad.cli.{name}"), f"handgrad {name}"
    if name in GROUPS:
        commands = parser.add_subparsers()
        for inner, function in getattr(module, GROUPS[name]).items():
            _take(commands.add_parser(inner), arguments_of(function, f"{program} {inner}"))
    if documented := getattr(module, TAKES.get(name, name), None):
        _take(parser, arguments_of(documented, program))


def _take(parser: argparse.ArgumentParser, arguments: Iterable[Argument]) -> None:
    for number, argument in enumerate(arguments):
        if "--help" in argument.flags:
            continue
        settings: dict[str, Any] = {"help": argument.text}
        if argument.nargs == 0:
            settings["action"] = "store_true"
        else:
            settings |= {"nargs": argument.nargs, "choices": argument.choices or None}
        action = parser.add_argument(*(argument.flags or [f"place-{number}"]), **settings)
        if completer := _completer(argument, parser.prog):
            action.completer = completer  # type: ignore[attr-defined]


def _completer(argument: Argument, program: str) -> Callable[..., Iterable[str]] | None:
    """What may stand for the value of an argument, as far as one can know."""
    from argcomplete.completers import DirectoriesCompleter, FilesCompleter

    words = argument.metavar.strip("[]").split()
    if "RUN" in words:
        return _runs
    if "NAME" in words and "learn" in program:
        return _exercises
    if "NAME" in words and "fetch" in program:
        return _corpora
    if "FOLDER" in words:
        return DirectoriesCompleter()
    files = any(word.startswith(("FILE", "PATH")) for word in words)
    return FilesCompleter() if files else None


def _runs(prefix: str, **_: Any) -> list[str]:
    from argcomplete.completers import DirectoriesCompleter

    runs = [str(path.parent) for path in Path("runs").glob("*/config.json")]
    return [*runs, *(folder for folder in DirectoriesCompleter()(prefix) if folder.rstrip("/") not in runs)]


def _exercises(**_: Any) -> list[str]:
    from handgrad.learn.course import Course

    return [exercise.name for exercise in Course.load().exercises]


def _corpora(**_: Any) -> list[str]:
    from handgrad.data import CATALOGUE

    return list(CATALOGUE)
