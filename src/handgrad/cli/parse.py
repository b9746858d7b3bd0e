"""From words on the command line to a call, by tyro; what is said of a mistake in them is said here."""

import contextlib
import difflib
import functools
import inspect
import io
import itertools
import shutil
import sys
import textwrap
import warnings
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, TextIO, TypeVar, get_args

import tyro
from tyro import _errors as mistakes
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from handgrad.errors import ConfigError
from handgrad.integers import read_integer

Options = TypeVar("Options")

WIDEST = 100
"""Columns of a paragraph that are read with ease."""
_MARKERS = (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes)
_REGISTRY = ConstructorRegistry()


def call(command: Callable[..., int | None], program: str, words: Sequence[str]) -> int | None:
    """Call a function with the arguments in `words`; its docstring is the help text."""
    return _parse(_deferred(command), program, words, description=_description(command))()


def call_one_of(commands: Mapping[str, Callable[..., int | None]], program: str, words: Sequence[str]) -> int | None:
    """Call the function that the first of the words names with the others as its arguments."""
    if not words:
        raise ConfigError(
            f"'{program}' needs a command", expected=f"one of {', '.join(commands)}", next_step=_help(program)
        )
    if words[0] in ("-h", "--help"):
        deferred = {name: _deferred(command) for name, command in commands.items()}
        with _wrapped_help():
            return tyro.extras.subcommand_cli_from_dict(deferred, prog=program, args=words, config=_MARKERS)()
    if words[0] not in commands:
        raise no_such_command(words[0], commands, program)
    return call(commands[words[0]], f"{program} {words[0]}", words[1:])


def parse(kind: type[Options], program: str, words: Sequence[str], default: Options) -> Options:
    """A dataclass of options, `default` but for what `words` say."""
    return _parse(kind, program, words, description=_description(kind), default=default)


class Argument(NamedTuple):
    """What a command takes: its flags, none for what has a place, and what may stand for its value."""

    flags: tuple[str, ...]
    metavar: str
    choices: tuple[str, ...]
    nargs: int | str | None
    text: str


def arguments_of(documented: Any, program: str, **settings: Any) -> list[Argument]:
    """The arguments of a function or a dataclass of options, for whoever has to know which there are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        parser = tyro.extras.get_parser(documented, prog=program, config=_MARKERS, registry=_REGISTRY, **settings)
    return [
        Argument(
            tuple(action.option_strings), str(action.metavar or ""), tuple(map(str, action.choices or ())),
            action.nargs, str(action.help or ""),
        )
        for action in parser._actions
    ]  # fmt: skip


def no_such_command(
    word: str, commands: Iterable[str], program: str, options: Iterable[str] = ("--help",)
) -> ConfigError:
    """What to raise for a first word that is none of the commands, nor one of the options beside them."""
    if word.startswith("-"):
        next_step = _sentences(did_you_mean(word, options), _help(program))
        return ConfigError("there is no such option", where=word, next_step=next_step)
    next_step = _sentences(did_you_mean(word, commands), f"The commands are {', '.join(commands)}.")
    return ConfigError(f"no such command: {word!r}", next_step=next_step)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question that names the known word which was perhaps meant, if there is one.

    >>> did_you_mean("trian", ["train", "sample"]), did_you_mean("xyz", ["train"])
    ('Did you mean train?', '')
    """
    words = list(known)
    longer = [name for name in words if len(word.lstrip("-")) > 1 and name.startswith(word)]
    close = longer[:1] or difflib.get_close_matches(word, words, n=1, cutoff=0.7)
    return f"Did you mean {close[0]}?" if close else ""


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


def _parse(documented: Any, program: str, words: Sequence[str], **settings: Any) -> Any:
    """As `tyro.cli`, but a mistake is a ConfigError, and a box in which tyro says another is taken down to its text."""

    def refuse(mistake: mistakes.ParseErrorEvent) -> None:
        _refuse(mistake, arguments)

    if words and words[0].startswith("--tyro"):  # which writes completions in its own way
        _wrong(program, "there is no such option", where=words[0])
    arguments = functools.partial(arguments_of, documented, program, **settings)
    _require_no_values_of_switches(words, arguments, program)
    box = io.StringIO()
    try:
        with mistakes.on_parse_error(refuse), contextlib.redirect_stderr(box), _wrapped_help():
            return tyro.cli(documented, prog=program, args=words, config=_MARKERS, registry=_REGISTRY, **settings)
    except SystemExit as end:
        if not end.code:
            raise
        text = " ".join(line.strip("│╭╮╰╯─ ") for line in box.getvalue().splitlines())
        raise ConfigError(text.strip(), next_step=_help(program)) from None


class _Held(io.TextIOWrapper):
    """What is to be printed to a stream, for who looks whether that is a terminal, and what it can show."""

    def __init__(self, stream: TextIO):
        self._stream, self._bytes = stream, io.BytesIO()
        super().__init__(self._bytes, stream.encoding, "replace")

    def isatty(self) -> bool:
        return self._stream.isatty()

    def lines(self) -> list[str]:
        self.flush()
        return self._bytes.getvalue().decode(self.encoding).splitlines()


@contextlib.contextmanager
def _wrapped_help() -> Iterator[None]:
    """Print the help with its paragraphs wrapped between words, which tyro does in its boxes only."""
    held = _Held(sys.stdout)
    try:
        with contextlib.redirect_stdout(held):
            yield
    finally:
        width = min(shutil.get_terminal_size().columns, WIDEST)
        for line in held.lines():
            paragraph = len(line) > width and line[0].isalnum() and "\x1b" not in line
            print(textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False) if paragraph else line)


def _require_no_values_of_switches(words: Sequence[str], arguments: Callable[[], list[Argument]], program: str) -> None:
    """Raise ConfigError for '--json=yes', of which tyro would take the value for a word of its own."""
    before = list(itertools.takewhile("--".__ne__, words))
    given = [word.partition("=") for word in before if word.startswith("--") and "=" in word]
    switches = {flag for argument in arguments() if argument.nargs == 0 for flag in argument.flags} if given else set()
    for flag, _, value in given:
        if flag in switches:
            _wrong(program, "this option takes no value", where=flag, got=repr(value))


def _refuse(mistake: mistakes.ParseErrorEvent, arguments: Callable[[], list[Argument]]) -> None:
    """Raise a ConfigError that says what is wrong; a mistake that is not known here passes."""
    wrong = functools.partial(_wrong, mistake.prog)
    match mistake:
        case mistakes.UnrecognizedArgs(tokens=[*tokens]):
            flag = next((token.partition("=")[0] for token in tokens if token.startswith("-")), None)
            if flag is None:
                wrong("this is one word too many", where=repr(tokens[0]))
            known = [name for each in arguments() for name in each.flags if name.startswith("--")]
            wrong("there is no such option", did_you_mean(flag, known), where=flag)
        case mistakes.MissingArgs(missing_arguments=missing):
            names = " and ".join(_name(each.arg) for each in missing)
            wrong(f"{names} {'is' if len(missing) == 1 else 'are'} missing")
        case mistakes.BadValue(reason="too_few_values", argument=argument):
            wrong("its value is missing", where=_name(argument), expected=argument.lowered.metavar)
        case mistakes.InvalidChoice(argument=argument, value=value, choices=choices):
            expected = f"one of {', '.join(choice for choice in choices if choice != 'None')}"
            wrong("there is no such choice", did_you_mean(value, choices), where=_name(argument), got=repr(value),
                  expected=expected)  # fmt: skip
        case mistakes.InstantiationFailure(argument=argument, message=message) if argument is not None:
            wrong(" ".join(str(message).split()), where=_name(argument))


def _wrong(program: str, what: str, meant: str = "", **fields: Any) -> NoReturn:
    raise ConfigError(what, next_step=_sentences(meant, _help(program)), **fields) from None


def _sentences(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _help(program: str) -> str:
    return f"'{program} --help' shows the options."


def _name(argument: Any) -> str:
    """What an argument is called where it is to be given: its longest flag, or what stands for it in the usage."""
    if argument.is_positional():
        return str(argument.lowered.metavar)
    return max(argument.lowered.name_or_flags, key=len)


def _read(kind: type[int] | type[float], text: str) -> int | float:
    try:
        return read_integer(text) if kind is int else float(text)
    except ValueError:
        what, such = ("whole number", "2500, 2_500, 2.5k or 1e6") if kind is int else ("number", "0.5 or 1e-3")
        raise ValueError(f"this is no {what} (got {text!r}, expected one such as {such})") from None


@_REGISTRY.primitive_rule
def _number(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Whole numbers as people write them, and a word of ours on what is none; also where there need not be one."""
    kinds = set(get_args(info.type) or (info.type,)) - {type(None)}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is not int and kind is not float:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=kind.__name__.upper(),
        instance_from_str=lambda words: _read(kind, words[0]),
        is_instance=lambda value: value is None or type(value) in (int, kind),
        str_from_instance=lambda value: [str(value)],
    )


def _deferred(command: Callable[..., int | None]) -> Callable[..., Callable[[], int | None]]:
    """The command, but it returns the call instead of making it: parsing is one thing, running another."""

    @functools.wraps(command)
    def parsed(*args: Any, **kwargs: Any) -> Callable[[], int | None]:
        return functools.partial(command, *args, **kwargs)

    return parsed


def _description(documented: Any) -> str:
    """A docstring up to its list of arguments, which tyro shows by itself; each paragraph is a line."""
    text = (inspect.getdoc(documented) or "").partition("\nArgs:")[0].strip()
    paragraphs = text.split("\n\n")
    return "\n\n".join(part if "\n " in part else part.replace("\n", " ") for part in paragraphs)
