"""From words on the command line to a call, by tyro."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import tyro

Options = TypeVar("Options")

_MARKERS = (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes)


def call(command: Callable[..., int | None], program: str, words: Sequence[str]) -> int | None:
    """Call a function with the arguments in `words`; its docstring is the help text."""
    return tyro.cli(command, prog=program, description=_description(command), args=words, config=_MARKERS)


def call_one_of(commands: Mapping[str, Callable[..., int | None]], program: str, words: Sequence[str]) -> int | None:
    """Call the function that the first of the words names with the others as its arguments."""
    return tyro.extras.subcommand_cli_from_dict(dict(commands), prog=program, args=words, config=_MARKERS)


def parse(kind: type[Options], program: str, words: Sequence[str], default: Options) -> Options:
    """A dataclass of options, `default` but for what `words` say."""
    description = _description(kind)
    return tyro.cli(kind, prog=program, description=description, args=words, default=default, config=_MARKERS)


def _description(documented: Any) -> str:
    """A docstring up to its list of arguments, which tyro shows by itself."""
    return (inspect.getdoc(documented) or "").partition("\nArgs:")[0].strip()
