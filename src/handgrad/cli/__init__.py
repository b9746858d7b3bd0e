"""The command line: each command is a module here with a `main(words)`."""

import functools
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from handgrad import ctrl_c

COMMANDS = {
    "train": "train a model on a text file with one thing a line",
    "sample": "draw new lines from a trained model",
    "evaluate": "measure the loss of a model, or the likelihood of lines",
    "runs": "list the runs in a folder, newest first, and draw their curves",
    "sweep": "try many recipes on a text, here or on a Ray cluster, and say which is best",
    "mix": "mix trained runs into one model, which predicts better than each of them",
    "export": "write a trained model as a Python file for PyTorch, or in ONNX",
    "check": "say which gradient line of a script or notebook is wrong, and why",
    "derive": "write the backward pass of a program, line by line or as short as it gets",
    "learn": "a course in deriving gradients by hand, with the checker as the teacher",
    "studio": "look at the gradients of a script or notebook in the browser, line by line",
    "lecture": "the notebook end to end, each figure beside the published one",
    "data": "list, fetch and show texts to train on",
    "bench": "time a training step beside PyTorch and JAX on this machine",
    "completion": "print what lets bash, zsh or fish complete these commands",
}

DEAF_SECONDS = 3.0
TORCH_EXTRA = ("torch", "jaxtyping", "nbformat", "watchfiles")
"""Modules that only `handgrad[torch]` installs."""

HELP = """usage: handgrad COMMAND [OPTIONS]

Write the backward pass by hand, prove it right line by line, and train with it.

commands:
{commands}

options:
  -h, --help   show this help message; 'handgrad help COMMAND' shows a command's
  --version    show the version

example:
  handgrad train               train on the built-in names: some twelve seconds
  handgrad sample runs/NAME    draw more from the run that it made
  handgrad check mine.ipynb    which line of my own backward pass is wrong, and why
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0: done; 1: the answer is no; 2: bad input, one line on stderr; 130: Ctrl-C.
    """
    if "_ARGCOMPLETE" in os.environ:  # a shell asks, by the script of 'handgrad completion'
        importlib.import_module("handgrad.cli.completion").answer()
    _prepare_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["help"] and len(words) > 1:
        words = [*words[1:], "--help"]
    if not words or words[0] in ("-h", "--help", "help"):
        print(HELP.format(commands="\n".join(f"  {name:<11}{text}" for name, text in COMMANDS.items())), end="")
        return 0 if words else 2
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"handgrad {version('handgrad')}")
        return 0
    if words[0] not in COMMANDS:
        from handgrad.cli.parse import no_such_command

        return _fail(str(no_such_command(words[0], (*COMMANDS, "help"), "handgrad", ("--help", "--version"))))
    before = set(threading.enumerate())
    with _one_ctrl_c():
        code = _guarded(words[0], words[1:])
    _leave_behind(set(threading.enumerate()) - before, code)
    return code


def _prepare_streams() -> None:
    """Where a stream is closed, what is said is lost; what its encoding lacks is a question mark."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _leave_behind(threads: set[threading.Thread], code: int) -> None:
    """End at once where a program that was checked has left threads for which Python would wait."""
    if not all(thread.daemon for thread in threads):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@contextmanager
def _one_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt, and none just after it disturb the saving that follows."""
    heard_at = -DEAF_SECONDS
    ctrl_c.pressed = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal heard_at
        if time.monotonic() - heard_at >= DEAF_SECONDS:
            heard_at, ctrl_c.pressed = time.monotonic(), True
            if not ctrl_c.held:
                raise KeyboardInterrupt

    def lost(unraisable: Any) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):  # of that one `ctrl_c.pressed` knows
            sys.__unraisablehook__(unraisable)

    before, sys.unraisablehook = signal.getsignal(signal.SIGINT), lost
    if before is signal.default_int_handler:  # elsewhere Ctrl-C is not for us: under nohup, say
        signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is stop:
            signal.signal(signal.SIGINT, before)
            sys.unraisablehook = sys.__unraisablehook__


def _guarded(name: str, words: list[str]) -> int:
    from handgrad.errors import HandgradError
    from handgrad.preparing import listening

    try:
        with listening(_prepared()):
            code = importlib.import_module(f"handgrad.cli.{name}").main(words)
        sys.stdout.flush()
        return code or 0
    except HandgradError as error:
        return _fail(str(error))
    except KeyboardInterrupt as interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # one more, while Python ends, would show a traceback
        return _fail(f"stopped. {interrupt}".strip(), code=130)
    except ModuleNotFoundError as error:
        if error.name not in TORCH_EXTRA:
            raise
        what = "PyTorch" if error.name == "torch" else f"{error.name}, which goes with PyTorch,"
        return _fail(f"'handgrad {name}' needs {what} here. Install it with: pip install 'handgrad[torch]'.")
    except MemoryError as error:
        return _fail(f"not enough memory. {error}. Choose smaller sizes.")
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries it again at its end
        if isinstance(error, BrokenPipeError):  # the reader, 'head' say, has had enough
            return 0
        return _fail(f"{error.filename or 'standard output'}: {error.strerror}.")


def _prepared() -> Callable[[str, float], None]:
    """Shows that a large text is prepared; what shows it is imported only then."""

    @functools.cache
    def shown() -> Callable[[str, float], None]:
        from handgrad.cli.console import console
        from handgrad.training.progress import PreparationProgress

        return PreparationProgress(console(stderr=True))

    return lambda what, done: shown()(what, done)


def _fail(message: str, code: int = 2) -> int:
    print(f"handgrad: {message}", file=sys.stderr)
    return code
