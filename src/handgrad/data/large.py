"""Large texts, whose tokens are made once, kept on the disk and mapped, so that they need no memory."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from handgrad.data.kept import Lines, LinesWriter, kept, lines_in
from handgrad.data.reading import read_lines
from handgrad.data.vocabulary import Vocabulary
from handgrad.errors import CorpusError
from handgrad.preparing import tell

LARGE = 64 << 20
"""Bytes of a file from which on its tokens are kept on the disk."""


class Stored(NamedTuple):
    """The tokens of a large text.

    Args:
        name: of what is kept; tells texts and vocabularies apart.
        sha256: of the file's bytes.
        vocabulary: the letters that the tokens stand for.
        lines: in the order of the file.
    """

    name: str
    sha256: str
    vocabulary: Vocabulary
    lines: Lines

    @property
    def n_lines(self) -> int:
        """How many lines there are."""
        return len(self.lines.starts) - 1


def is_large(file: BinaryIO) -> bool:
    """Whether an open file is one that can be read twice and is large."""
    status = os.fstat(file.fileno())
    return stat.S_ISREG(status.st_mode) and status.st_size >= LARGE


def stored(file: BinaryIO, where: str, vocabulary: Vocabulary | None) -> Stored:
    """The tokens of a large text, made if they are not kept yet.

    Args:
        file: opened for reading bytes, at its beginning.
        where: what to call it in a message.
        vocabulary: of the tokens; None for that of the text's own letters.

    Raises:
        CorpusError: as `handgrad.data.reading.read_lines` does; or the tokens cannot be kept, or the file changes.
    """
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # pyrefly: ignore[bad-argument-type]
    name = sha256[:32]
    if vocabulary is not None:
        name += f"-{hashlib.sha256(vocabulary.chars.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"

    def make(folder: Path) -> dict[str, Any]:
        file.seek(0)
        with _OnDisk(folder / "texts", file) as texts:
            read, letters = read_lines(file, where, vocabulary, texts)
            if read != sha256:
                raise CorpusError(
                    "the file has changed while it was read", where=where,
                    next_step="Try again once nothing writes to it any more.",
                )  # fmt: skip
            with LinesWriter(folder, "lines") as writer:
                for text in texts:
                    tokens = letters.encode_lines(text)
                    writer.add(tokens, np.diff(np.flatnonzero(tokens == 0), prepend=-1))
        return {"letters": letters.chars}

    folder, facts = kept(name, make)
    letters = Vocabulary(facts["letters"])
    return Stored(name, sha256, letters, lines_in(folder, "lines", letters.dtype))


class _OnDisk:
    """Texts that are read again in the order in which they came, kept in a file until they are not needed any more.

    Args:
        path: of the file.
        source: the file that they come from, by which it is told how far they have come.
    """

    def __init__(self, path: Path, source: BinaryIO):
        self._path, self._source, self._sizes = path, source, list[int]()
        self._of = os.fstat(source.fileno()).st_size

    def __enter__(self) -> "_OnDisk":
        self._file = self._path.open("xb+")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._path.unlink()

    def append(self, text: str) -> None:
        data = text.encode()
        self._file.write(data)
        self._sizes.append(len(data))
        tell("reading the text", self._source.tell() / self._of)

    def __iter__(self) -> Iterator[str]:
        self._file.seek(0)
        for number, size in enumerate(self._sizes, 1):
            yield self._file.read(size).decode()
            tell("looking at its letters", number / len(self._sizes))
