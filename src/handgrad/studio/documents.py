"""A script or notebook as the page edits it: its cells, and what is saved."""

import hashlib
import io
import json
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handgrad.errors import HandgradError


class DocumentError(HandgradError):
    """A file that is not there, cannot be read or written, or has changed meanwhile."""


@dataclass(frozen=True)
class Document:
    """The code of a file: one part with the number None, or the code cells of a notebook, numbered from 1."""

    path: Path
    parts: dict[int | None, str]
    version: str

    def to_json(self) -> dict[str, Any]:
        """For the page."""
        return {
            "file": self.path.name,
            "version": self.version,
            "parts": [{"cell": cell, "text": text} for cell, text in self.parts.items()],
        }


def read_document(path: Path) -> Document:
    """Read a script or notebook.

    Raises:
        DocumentError: it is not there, or is neither.
    """
    try:
        content = path.read_bytes()
        notebook = path.suffix == ".ipynb"
        text = content.decode("utf-8-sig" if notebook else tokenize.detect_encoding(io.BytesIO(content).readline)[0])
    except OSError as error:
        raise DocumentError("the file cannot be read", got=error.strerror, where=path) from None
    except (SyntaxError, LookupError, UnicodeDecodeError) as error:
        raise DocumentError("the file cannot be read", got=error, where=path) from None
    version = hashlib.sha256(content).hexdigest()[:16]
    if not notebook:
        return Document(path, {None: text.replace("\r\n", "\n").replace("\r", "\n")}, version)
    try:
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        return Document(path, {n: "".join(cell["source"]) for n, cell in enumerate(cells, start=1)}, version)
    except (ValueError, KeyError, TypeError):
        raise DocumentError("not a Jupyter notebook of version 4", where=path) from None


def save_document(document: Document, parts: dict[int | None, str]) -> str:
    """Write changed parts into the file, and keep the old one beside it. This imports the checker.

    Returns:
        The name of the copy of the old file: the first free of `NAME.bak`, `NAME.bak1`, …

    Raises:
        DocumentError: the file was changed by somebody else since it was read, or cannot be written.
    """
    from handgrad.checker.faces.mend import rewrite

    if read_document(document.path).version != document.version:
        raise DocumentError(
            "the file was changed elsewhere meanwhile", where=document.path, next_step="Look at it, and save again."
        )
    if unknown := parts.keys() - document.parts.keys():
        raise DocumentError("there is no such cell", got=unknown.pop(), where=document.path)
    changed = {cell: text for cell, text in parts.items() if text != document.parts[cell]}
    try:
        return rewrite(document.path, {cell: _replaced(text) for cell, text in changed.items()}).name
    except OSError as error:
        raise DocumentError("the file cannot be written", got=error.strerror, where=document.path) from None


def _replaced(text: str) -> Any:
    """The new text in the place of the old one, with its ends of lines."""
    return lambda old: text.replace("\n", "\r\n") if "\r\n" in old else text
