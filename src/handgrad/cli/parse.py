"""From words on the command line to a call, by tyro."""

import contextlib
import functools
import inspect
import io
import itertools
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import tyro

from handgrad.errors import ConfigError

Options = TypeVar("Options")

_MARKERS = (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes)


def call(command: Callable[..., int | None], program: str, words: Sequence[str]) -> int | None:
    """Call a function with the arguments in `words`; its docstring is the help text."""
    with _mistakes_on_one_line(program):
        parsed = tyro.cli(
            _deferred(command), prog=program, description=_description(command), args=words, config=_MARKERS
        )
    return parsed()


def call_one_of(commands: Mapping[str, Callable[..., int | None]], program: str, words: Sequence[str]) -> int | None:
    """Call the function that the first of the words names with the others as its arguments."""
    deferred = {name: _deferred(command) for name, command in commands.items()}
    with _mistakes_on_one_line(program):
        parsed = tyro.extras.subcommand_cli_from_dict(deferred, prog=program, args=words, config=_MARKERS)
    return parsed()


def parse(kind: type[Options], program: str, words: Sequence[str], default: Options) -> Options:
    """A dataclass of options, `default` but for what `words` say."""
    with _mistakes_on_one_line(program):
        return tyro.cli(
            kind, prog=program, description=_description(kind), args=words, default=default, config=_MARKERS
        )


def saying(flags: Container[str], words: Sequence[str]) -> list[str]:
    """The words that say some flags, with the value that follows where it is a word of its own.

    >>> saying({"--model"}, ["names.txt", "--steps", "20", "--model", "gru"]), saying({"--model"}, [])
    (['--model', 'gru'], [])
    """
    kept: list[str] = []
    for word, following in itertools.pairwise([*words, ""]):
        flag, sign, _ = word.partition("=")
        if flag in flags:
            kept += [word] if sign or not following else [word, following]
    return kept


def _deferred(command: Callable[..., int | None]) -> Callable[..., Callable[[], int | None]]:
    """The command, but it returns the call instead of making it: parsing is one thing, running another."""

    @functools.wraps(command)
    def parsed(*args: Any, **kwargs: Any) -> Callable[[], int | None]:
        return functools.partial(command, *args, **kwargs)

    return parsed


@contextlib.contextmanager
def _mistakes_on_one_line(program: str) -> Iterator[None]:
    """Turn the box that tyro draws around a mistake into a ConfigError."""
    box = io.StringIO()
    try:
        with contextlib.redirect_stderr(box):
            yield
    except SystemExit as end:
        if not end.code:
            raise
        from rich.text import Text

        what = ". ".join(_paragraphs(Text.from_ansi(box.getvalue()).plain)).rstrip(".")
        raise ConfigError(what, next_step=f"'{program} --help' shows the options.") from None


def _paragraphs(box: str) -> Iterator[str]:
    """What went wrong, and what was perhaps meant: without the help texts, which are nested deeper or at the end."""
    lines = [line.strip("│")[1:].rstrip() for line in box.splitlines()[1:-1]]
    for rule, paragraph in itertools.groupby(lines, key=lambda line: not line.strip("─")):
        text = " ".join(line.strip() for line in paragraph if not line.startswith(" " * 8))
        if not rule and not text.startswith(("Argument helptext", "For full helptext")):
            yield text


def _description(documented: Any) -> str:
    """A docstring up to its list of arguments, which tyro shows by itself."""
    return (inspect.getdoc(documented) or "").partition("\nArgs:")[0].strip()
