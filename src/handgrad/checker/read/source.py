"""Read a script or a notebook into statements that know where they stand."""

import ast
import codecs
import contextlib
import functools
import io
import json
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from handgrad.checker.place import Place
from handgrad.checker.read.names import Uses, needs, uses
from handgrad.checker.read.without_magics import RUNS_WITHOUT_PERCENT, without_magics
from handgrad.errors import HandgradError


class SourceError(HandgradError):
    """A file that cannot be read as a program."""


@dataclass(frozen=True)
class Statement:
    """One statement of the user's program: its syntax tree, its text, its place, and the code it stands in.

    `spelling` gives the user's words for those that stand in the tree in their place; `laid_out` says that it is run
    as it is. `role` is "argument" where it is what a call hands over, "entry" where it only moves a value between a
    name and the dict or object it stands for, "element" where it takes a gradient from where the one before has put it.
    `call` is a name numbered as the local ones of its function's call are.
    """

    node: Any
    text: str
    place: Place
    code: str
    spelling: tuple[tuple[str, str], ...] = ()
    laid_out: bool = False
    role: str = ""
    call: str = ""

    @functools.cached_property
    def names(self) -> Uses:
        """What it reads and writes, as far as its text shows."""
        return uses(self.node)

    @functools.cached_property
    def gives(self) -> set[str]:
        """The names that it reads and has given their values itself by then, as a loop does its counters."""
        return (self.names.reads - needs(self.node)) | self.names.counters

    @property
    def only_moves(self) -> bool:
        """Whether it stands for nothing that the user has written."""
        return self.role in ("entry", "element")

    def spelled(self, text: str) -> str:
        """What is written of the tree, in the user's words."""
        for ours, theirs in self.spelling:
            text = theirs + text[len(ours) :] if text.startswith(ours) and ours.endswith(" = ") else text
            text = exchanged(text, ours, theirs)
        for ours, theirs in self.spelling:  # what else belongs to an object that goes by another name here
            owner, dot, key = ours.rpartition("·")
            if dot and theirs.endswith(f".{key}"):
                text = re.sub(rf"(?<![\w·]){re.escape(owner)}·(?=[^\W\d])", theirs.removesuffix(key), text)
        return text


def exchanged(text: str, name: str, other: str) -> str:
    """The text with another name wherever the name stands alone.

    >>> exchanged("grads·h + grads·hpre", "grads·h", "grads['h']")
    "grads['h'] + grads·hpre"
    """
    if name not in text:
        return text
    return re.sub(rf"(?<![\w·]){re.escape(name)}(?![\w·])", lambda _: other, text)


@dataclass(frozen=True)
class Fault:
    """Something in the user's own code that Python itself refuses."""

    place: Place
    message: str
    text: str = ""


@dataclass
class Source:
    """A program as statements, with what had to be left out of it.

    `halves` are functions known to compute gradients, whatever their names are; `closed` are names that they have no
    access to, and `shared` those of objects whose attributes they have.
    """

    path: Path | None
    statements: list[Statement]
    notes: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    halves: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()


def read_source(path: Path) -> Source:
    """Read a `.py` or `.ipynb` file.

    Magics and shell lines are left out. A line that is not Python is left out too and named in `faults`, so that
    the rest can still be checked.

    Raises:
        SourceError: the file is missing, is neither kind, or is not a notebook inside.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise SourceError("not a file with a program in it", where=path, next_step="Save the program in a file.")
    try:
        content = path.read_bytes()
        text = content.decode(encoding_of(path, content))
    except FileNotFoundError:
        raise SourceError(
            "there is no such file", where=path, next_step="Give the path of a .py or .ipynb file."
        ) from None
    except OSError as error:
        raise SourceError("the file cannot be read", where=path, got=error) from None
    except (SyntaxError, LookupError, UnicodeDecodeError) as error:
        expected = "utf-8, or the encoding that a coding line names"
        raise SourceError("the file cannot be read", where=path, got=error, expected=expected) from None
    if path.suffix == ".ipynb":
        return _read_notebook(path, text)
    if path.suffix != ".py":
        raise SourceError(
            "not a program this can check", where=path, got=path.suffix or "no suffix", expected=".py or .ipynb"
        )
    source = Source(path, [])
    _add_code(source, re.sub("\r\n?", "\n", text), Place(str(path), 1))
    return source


def encoding_of(path: Path, content: bytes) -> str:
    """The encoding of a file: of a script that which Python finds, by its coding line and byte order mark (PEP 263).

    Raises:
        SyntaxError: Python does not know the encoding.
    """
    if path.suffix == ".py":
        return tokenize.detect_encoding(io.BytesIO(content).readline)[0]
    return "utf-8-sig" if content.startswith(codecs.BOM_UTF8) else "utf-8"


def parse_code(code: str, file: str = "<code>", cell: int | None = None) -> Source:
    """The statements of a piece of code, such as one notebook cell."""
    source = Source(None, [])
    _add_code(source, code, Place(file, 1, cell))
    return source


def _read_notebook(path: Path, text: str) -> Source:
    try:
        cells = json.loads(text)["cells"]
        codes = [(c.get("execution_count"), "".join(c["source"])) for c in cells if c["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError):
        raise SourceError(
            "not a Jupyter notebook of version 4", where=path, next_step="Save it again from Jupyter."
        ) from None
    source = Source(path, [])
    counts = [count for count, code in codes if code.strip()]
    known = all(type(count) is int for count in counts) and len(set(counts)) == len(counts)
    for cell, (count, code) in enumerate(codes, start=1):
        _add_code(source, code, Place(str(path), 1, cell, count if known and code.strip() else None))
    counts = [count for count in counts if type(count) is int]
    if any(later < earlier for earlier, later in pairwise(counts)):
        source.notes.append(
            "The notebook was saved with its cells run in another order; here they are run from top to bottom."
        )
    return source


def await_allowed(unit: str) -> int:
    """The flag with which Python compiles a unit of code: a notebook's cell may await."""
    return ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if re.search(r"\.ipynb, cell \d+$", unit) else 0


def _add_code(source: Source, code: str, start: Place) -> None:
    if start.cell is not None or re.search(r"(?m)^\s*[!%]", code):
        code = _keep_if_python(code) or without_magics(_without_indentation(code))
    lines = code.split("\n")
    for _ in range(len(lines) + 1):
        try:
            tree = _compiled("\n".join(lines), start.unit)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            number = min(getattr(error, "lineno", None) or 1, len(lines))
            message = f"{type(error).__name__}: {getattr(error, 'msg', error)}"
            fault = Fault(start.at(number), message, lines[number - 1].strip())
            source.faults += [fault] if fault.text != "pass" else []
            if len(source.faults) > 20 or not _silence(lines, number):
                return
        else:
            break
    else:
        return
    text = "\n".join(lines)
    for statement in _statements(tree.body, text, start):
        shown = start.cell is not None and isinstance(statement.node, ast.Expr)
        if not (shown and RUNS_WITHOUT_PERCENT.fullmatch(statement.text)):
            source.statements.append(statement)


def _without_indentation(code: str) -> str:
    """A cell without the indentation of its first line, as Jupyter takes it.

    >>> _without_indentation("\\n  x = 1\\n  if x:\\n    y = 2")
    '\\nx = 1\\nif x:\\n  y = 2'
    """
    indentation = re.match(r"\s*?([ \t]*)(?=\S)", code)
    return re.sub(rf"(?m)^{indentation[1]}", "", code) if indentation and indentation[1] else code


def _compiled(code: str, unit: str) -> ast.Module:
    """The syntax tree of code that Python takes: a `return` outside of functions it does not."""
    tree = ast.parse(code)
    with warnings.catch_warnings(), contextlib.suppress(RecursionError, MemoryError):
        warnings.simplefilter("ignore")
        compile(tree, unit, "exec", await_allowed(unit))
    return tree


def _keep_if_python(code: str) -> str | None:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return code


def _silence(lines: list[str], number: int) -> bool:
    """Replace the offending line (or the last written one before it) by `pass`; False where none is left."""
    if lines[number - 1].strip() == "pass":  # it is indented where nothing may be
        lines[number - 1] = ""
        return True
    for i in range(number - 1, -1, -1):
        bare = lines[i].strip()
        if bare and bare != "pass" and not bare.startswith("#"):
            lines[i] = lines[i][: len(lines[i]) - len(lines[i].lstrip())] + "pass"
            return True
    return False


@functools.lru_cache(maxsize=16)
def _lines(code: str) -> list[bytes]:
    return [line.encode() for line in _LINE.findall(code)]


_LINE = re.compile(r".*?(?:\r\n|\n|\r|\Z)", re.DOTALL)
"""A line as Python counts them, which `str.splitlines` does not."""


def segment(code: str, node: Any) -> str:
    """The text of a node, like `ast.get_source_segment`, but splitting the code into lines only once.

    >>> code = "x = 1; y = (2,\\n 3)"
    >>> segment(code, ast.parse(code).body[1])
    'y = (2,\\n 3)'
    """
    lines = _lines(code)[node.lineno - 1 : node.end_lineno]
    if not lines:
        return ast.unparse(node)
    lines[-1] = lines[-1][: node.end_col_offset]
    lines[0] = lines[0][node.col_offset :]
    return b"".join(lines).decode()


def around(code: str, node: Any) -> tuple[str, str]:
    """What else stands on the lines of a node: other statements before it; those after it, and a comment.

    >>> code = "x = 1; y = 2; z = 3  # three"
    >>> around(code, ast.parse(code).body[1])
    ('x = 1; ', '; z = 3  # three')
    """
    lines = _lines(code)
    before = lines[node.lineno - 1][: node.col_offset].decode().lstrip()
    return before, lines[node.end_lineno - 1][node.end_col_offset :].decode().rstrip()


def _statements(body: list[ast.stmt], text: str, within: Place) -> Iterator[Statement]:
    for node in body:
        yield Statement(node, segment(text, node), within.at(node.lineno), text)


def inner(statement: Statement, body: list[ast.stmt]) -> list[Statement]:
    """The statements of a block inside `statement`, such as a loop's body."""
    found = _statements(body, statement.code, statement.place)
    return [replace(part, spelling=statement.spelling, call=statement.call) for part in found]
