"""`handgrad derive`."""

import json as json_format
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from handgrad.cli.parse import call
from handgrad.derive import Form, Style
from handgrad.errors import ConfigError, DeriveError

if TYPE_CHECKING:
    from handgrad.derive.derivation import Derivation

_PLACE = re.compile(r"(?P<file>.*?)(?:, )?(?:cell (?P<cell>\d+), )?line (?P<line>\d+)[^:]*(?:: (?P<text>.*))?")
_Several = tyro.conf.UseAppendAction[tuple[str, ...]]
_NAME = tyro.conf.arg(metavar="NAME", help_behavior_hint="")


def derive(
    program: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FILE|MODULE:FUNCTION")],
    *,
    form: Form = "lines",
    of: Annotated[str | None, _NAME] = None,
    start: Annotated[str | None, tyro.conf.arg(name="in", metavar="NAME[,NAME]", help_behavior_hint="")] = None,
    end: Annotated[str | None, tyro.conf.arg(name="out", metavar="NAME", help_behavior_hint="")] = None,
    first: Annotated[str | None, tyro.conf.arg(name="from", metavar="[CELL:]LINE", help_behavior_hint="")] = None,
    last: Annotated[str | None, tyro.conf.arg(name="to", metavar="[CELL:]LINE", help_behavior_hint="")] = None,
    shape: Annotated[_Several, tyro.conf.arg(metavar="NAME=32,10", help_behavior_hint="")] = (),
    arg: Annotated[_Several, tyro.conf.arg(metavar="NAME=EXPRESSION", help_behavior_hint="")] = (),
    style: Annotated[Style | None, tyro.conf.arg(metavar="{torch,numpy}", help_behavior_hint="")] = None,
    no_quotes: bool = False,
    explain: bool = False,
    check: bool = False,
    write: bool = False,
    json: bool = False,
    timeout: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 60.0,
    data: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")] = None,
) -> int:
    """Write the backward pass of a program: from its forward lines, the gradients as a person would write them.

    The file is read as it is and run up to its loss; what is printed can be pasted below that. Of a function in it, or
    in a module, the backward function is printed; its arguments are those of the program's own first call of it, where
    they are not given or annotated in the manner of jaxtyping. All of it was compared with autograd before: no wrong
    line is shown. Exit code 0: done, 2: a line cannot be differentiated, or the file cannot be run.

    examples:
      handgrad derive mlp.py
      handgrad derive backprop.ipynb --form closed --in logits --out loss
      handgrad derive mlp.py --form shortest --write
      handgrad derive layers.py:rms_norm --shape x=32,10 --shape gain=10

    Args:
        program: A .py or .ipynb file, or a function of tensors in a file or module.
        form: One or a few lines for each forward line; one expression for each gradient; or as short as it gets.
        of: The loss, or another variable to start from, where it is not clear.
        start: Differentiate by this variable alone.
        end: Start from this variable, whose gradient is given.
        first: The first line of the part to differentiate.
        last: The last line of the part.
        shape: The shape of an argument of the function, a tensor of floats. May be given several times.
        arg: An argument of the function in Python, such as idx='torch.arange(5)'. May be given several times.
        style: Write for PyTorch or for NumPy, where it is not as the program is.
        no_quotes: Leave out the forward lines that stand beside the lines as comments.
        explain: Show the derivation, step by step; into a file or a pipe it goes as Markdown with LaTeX.
        check: Show how each gradient compares with autograd's.
        write: Add the lines to the file below the forward pass; the old file is kept beside it.
        json: Print all of it as JSON.
        timeout: How long the program may run.
        data: A folder with files that the program reads, where they are not beside it.
    """
    if not timeout > 0:
        raise ConfigError("a time limit makes no sense", got=timeout, expected="above 0", where="--timeout")
    from handgrad.cli.check import unheard
    from handgrad.forward.deriving import Target, Wish, derive_target
    from handgrad.forward.function import Given
    from handgrad.forward.goal import Lines
    from handgrad.forward.program import Part

    part = Part(of, end, tuple(start.split(",")) if start else (), Lines.parse(first, last))
    wish = Wish(form, style, part, Given.parse(shape, arg))
    try:
        with unheard():
            found = derive_target(Target.parse(program), wish, data=data, timeout=timeout)
    except DeriveError as error:
        if json:
            _print_json({"program": program, "error": to_json(error)})
        raise
    steps = found.explained(as_text=sys.stdout.isatty()) if explain else None
    derivation = found.derivation
    text = derivation.source if no_quotes else derivation.quoted()
    backup = found.write(text) if write else None
    if json:
        _print_json(found.to_json())
    else:
        _show(text if steps is None else steps, as_python=steps is None)
        if check:
            _show_check(derivation)
    for note in derivation.notes:
        print(f"handgrad: note: {note}", file=sys.stderr)
    print(f"handgrad: {derivation.summary}.", file=sys.stderr)
    if backup is not None:
        print(f"handgrad: the lines are written; the old file is {backup}.", file=sys.stderr)
    return 0


def main(words: list[str]) -> int | None:
    """Parse and run the command."""
    return call(derive, "handgrad derive", words)


def to_json(error: DeriveError) -> dict[str, Any]:
    """What went wrong, where, and what to do about it: the file, cell and line, and the text of that.

    >>> to_json(DeriveError("no rule covers `f`", where="net.py, line 5: y = f(x)", next_step="Leave it out."))["line"]
    5
    """
    where = str(error.where or "")
    found = _PLACE.fullmatch(where)
    place = found.groupdict() if found else {"file": where, "cell": None, "line": None, "text": None}
    numbers = {key: int(place[key]) if place[key] else None for key in ("cell", "line")}
    return {"what": error.what, **place, **numbers, "next": error.next_step or None}


def _print_json(fields: dict[str, Any]) -> None:
    ascii_only = "utf" not in sys.stdout.encoding.lower()
    print(json_format.dumps(fields, indent=2, ensure_ascii=ascii_only, allow_nan=False))


def _show(text: str, as_python: bool) -> None:
    """Plain text, which can be pasted; in a terminal Python has colours."""
    if not (as_python and sys.stdout.isatty()):
        print(text)
        return
    from rich.syntax import Syntax

    from handgrad.cli.console import console

    console().print(Syntax("", "python", theme="ansi_dark").highlight(text), soft_wrap=True, end="")


def _show_check(derivation: "Derivation") -> None:
    from handgrad.cli.console import show_figures
    from handgrad.derive.showing import HEADINGS, rows

    show_figures(HEADINGS, rows(derivation))
