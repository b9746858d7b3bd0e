"""Write the corrected lines into the user's file, and keep the old one beside it."""

import json
import os
import re
import shutil
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from handgrad.checker.read.source import encoding_of
from handgrad.checker.read.without_magics import RUNS_A_STATEMENT
from handgrad.checker.report import Diagnosis, Report

_LINE = re.compile(r"(.*?)(\r\n|\n|\r|\Z)", re.DOTALL)
_CHARACTER = re.compile(r"\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL)
"""One character of a JSON string as it is written."""


def mend(report: Report, path: Path) -> tuple[int, Path]:
    """Put every fix of the report into the file; all else in it stays as it is, to the byte.

    Args:
        report: of this file as it stands.
        path: the script or notebook.

    Returns:
        How many places were changed, and the copy of the old file: the first free of `NAME.bak`, `NAME.bak1`, …
    """
    fixes = report.repairs
    if not fixes:
        return 0, _free_name(path)
    by_cell: dict[int | None, list[Diagnosis]] = {}
    for fix in fixes:
        by_cell.setdefault(fix.place.cell if fix.place else None, []).append(fix)
    return len(fixes), rewrite(path, {cell: partial(mended, fixes=found) for cell, found in by_cell.items()})


def rewrite(path: Path, changes: Mapping[int | None, Callable[[str], str]]) -> Path:
    """Change the text of a script, whose key is None, or of cells of a notebook; all else stays to the byte.

    The file is the old one or the new one at any moment.

    Returns:
        The copy of the old file: the first free of `NAME.bak`, `NAME.bak1`, …
    """
    content = path.read_bytes()
    encoding = encoding_of(path, content)
    text = content.decode(encoding)
    new = rewritten_notebook(text, changes) if path.suffix == ".ipynb" else changes[None](text)
    backup = _free_name(path)
    shutil.copy2(path, backup)
    _replace(path.resolve(), new.encode(encoding))
    return backup


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def mended(text: str, fixes: Iterable[Diagnosis]) -> str:
    """The text with each fix in the place of its lines, the last first so that line numbers hold.

    >>> mended("a = 1\\nb = 2\\r\\n", [Diagnosis("sign", fix="b = -2", start=2, end=2)])
    'a = 1\\nb = -2\\r\\n'
    """
    lines = _LINE.findall(text)[:-1]
    for fix in sorted(fixes, key=lambda d: (d.start, d.end), reverse=True):
        place = slice(fix.start - 1, max(fix.end, fix.start - 1))
        above = fix.place.line if fix.place else fix.end
        model, end = lines[fix.start - 1] if lines[place] else lines[min(above, len(lines)) - 1]
        end = end or lines[0][1] or "\n"
        before, after = fix.around
        indent = model[: len(model) - len(model.lstrip())]
        new = textwrap.indent(before + textwrap.dedent(fix.fix or "pass") + after, indent).split("\n")
        new[0] = _start(model) + new[0].removeprefix(indent)
        added = [(line, end) for line in new]
        if place.stop == len(lines):  # where the last line has no end, the new last one has none either
            added[-1] = added[-1][0], lines[-1][1]
            if not lines[place]:
                lines[-1] = lines[-1][0], end
        lines[place] = added
    return "".join(line + end for line, end in lines)


def _start(line: str) -> str:
    """What stands before the statement on a line: the indentation, and `%time `."""
    magic = RUNS_A_STATEMENT.match(line)
    return line[: magic.start(2)] if magic else line[: len(line) - len(line.lstrip())]


def rewritten_notebook(text: str, changes: Mapping[int | None, Callable[[str], str]]) -> str:
    """The same for a notebook: only the sources of the cells with changes are written anew.

    >>> text = '{"cells": [{"cell_type": "code", "source": ["a = 1\\\\n",  "b = 2"]}]}'
    >>> rewritten_notebook(text, {1: lambda source: source.replace("2", "-2")})
    '{"cells": [{"cell_type": "code", "source": ["a = 1\\\\n",  "b = -2"]}]}'
    """
    sources = [cell["source"] for cell in _cells(text)]
    for number, change in sorted(((n, c) for n, c in changes.items() if n is not None), reverse=True):
        start, end = sources[number - 1]
        text = text[:start] + _source(text, start, end, change) + text[end:]
    return text


def _cells(text: str) -> Iterator[dict[Any, tuple[int, int]]]:
    """Where the values of each code cell stand in a notebook."""
    notebook = {key: start for key, start, _ in _values(text, _skip(text, 0))}
    for _, start, _ in _values(text, notebook["cells"]):
        cell = {key: (at, end) for key, at, end in _values(text, start)}
        if json.loads(text[slice(*cell["cell_type"])]) == "code":
            yield cell


def _values(text: str, start: int) -> Iterator[tuple[Any, int, int]]:
    """Key, start and end of each value of the JSON object, or of each item of the array, that starts there."""
    decode, named = json.JSONDecoder().raw_decode, text[start] == "{"
    at = _skip(text, start + 1)
    while text[at] not in "]}":
        key = None
        if named:
            key, at = decode(text, at)
            at = _skip(text, text.index(":", at) + 1)
        _, end = decode(text, at)
        yield key, at, end
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    """The end of the space that begins there."""
    while text[at].isspace():
        at += 1
    return at


def _source(text: str, start: int, end: int, change: Callable[[str], str]) -> str:
    """The source of a cell as it is changed, each line that stays as it was written."""
    listed = text[start] == "["
    strings = [(at, to) for _, at, to in _values(text, start)] if listed else [(start, end)]
    written: dict[str, str] = {}
    for at, to in strings:
        line = ""
        for character in _CHARACTER.findall(text[at + 1 : to - 1]):
            line += character
            if character == "\\n":
                written[json.loads(f'"{line}"')], line = line, ""
        written[json.loads(f'"{line}"')] = line
    new = change("".join(json.loads(text[at:to]) for at, to in strings))
    lines = [line + end for line, end in _LINE.findall(new)[:-1]]
    lines = [written.get(line) or json.dumps(line, ensure_ascii=text.isascii())[1:-1] for line in lines]
    if not listed:
        return f'"{"".join(lines)}"'
    (first, to), last = strings[0], strings[-1][1]
    between = text[to : strings[1][0]] if len(strings) > 1 else f",{text[start + 1 : first] or ' '}"
    return text[start:first] + between.join(f'"{line}"' for line in lines) + text[last:end]


def _free_name(path: Path) -> Path:
    for number in range(1000):
        candidate = path.with_name(f"{path.name}.bak{number or ''}")
        if not candidate.exists():
            return candidate
    return path.with_name(f"{path.name}.bak")
