"""Write lines below the forward pass in the user's own file, and leave all else in it as it is."""

import re
import textwrap
from pathlib import Path

from handgrad.checker.faces.mend import rewrite
from handgrad.checker.read.source import Statement, around
from handgrad.errors import DeriveError

_LINE = re.compile(r"(.*?)(\r\n|\n|\r|\Z)", re.DOTALL)


def write_below(path: Path, statement: Statement, text: str) -> Path:
    """Put lines below a statement, indented as it is, with an empty line before and after them.

    Returns:
        The copy of the old file.

    Raises:
        DeriveError: there is no place for them, or they stand there already.
    """
    before, _ = around(statement.code, statement.node)
    where = f"{path}, {statement.place}"
    if before.strip() and not before.rstrip().endswith(";"):
        what = "there is no place for lines below this one, which is part of the line of another statement"
        raise DeriveError(what, where=where, next_step="Put it on a line of its own.")

    def change(source: str) -> str:
        first, last = statement.node.lineno, statement.node.end_lineno
        if _stand_there(source, last, text):
            raise DeriveError("these lines stand there already", where=where)
        line = _LINE.findall(source)[first - 1][0]
        return inserted(source, last, textwrap.indent(text, line[: len(line) - len(line.lstrip())]))

    return rewrite(path, {statement.place.cell: change})


def inserted(source: str, number: int, text: str) -> str:
    """The source with lines below line `number`, ended as that one.

    >>> inserted("a = 1\\r\\nb = 2", 1, "c = 3")
    'a = 1\\r\\n\\r\\nc = 3\\r\\n\\r\\nb = 2'
    """
    lines = _LINE.findall(source)[:-1]
    model, end = lines[number - 1]
    end = end or lines[0][1] or "\n"
    below = lines[number:]
    new = ["", *text.split("\n"), *([""] if below and below[0][0].strip() else [])]
    added = [(line, end) for line in new]
    if not below:
        added[-1] = added[-1][0], lines[-1][1]
        lines[-1] = model, end
    return "".join(line + end for line, end in [*lines[:number], *added, *below])


def _stand_there(source: str, number: int, text: str) -> bool:
    below = [line.strip() for line, _ in _LINE.findall(source)[number:-1] if line.strip()]
    wanted = [line.strip() for line in text.split("\n") if line.strip()]
    return below[: len(wanted)] == wanted
