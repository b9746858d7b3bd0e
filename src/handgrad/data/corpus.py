"""A text with one thing a line, read into one flat array of tokens."""

import codecs
import hashlib
import io
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from handgrad.data.vocabulary import Vocabulary, spell
from handgrad.errors import CorpusError

MAX_LINE = 1_000
"""The longest line, in characters, that is read."""

CHUNK_BYTES = 4 << 20
"""How much of a file is read at once."""

_RUNAWAY_BYTES = 1 << 20
_UTF16_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, eq=False)
class Corpus:
    """Lines of text as tokens.

    Args:
        name: what to call it in headings.
        source: the file's absolute path, `built-in:NAME`, or whatever names where the lines came from.
        sha256: of the file's bytes.
        vocabulary: the letters the tokens stand for.
        tokens: every line in file order, each followed by one 0, flat, in the vocabulary's dtype. Read only.

    Example:
        >>> corpus = corpus_from_lines(["emma", "ava"])
        >>> corpus.tokens
        array([2, 3, 3, 1, 0, 1, 4, 1, 0], dtype=uint8)
        >>> list(corpus.lines())
        ['emma', 'ava']
    """

    name: str
    source: str
    sha256: str
    vocabulary: Vocabulary
    tokens: np.ndarray

    def __post_init__(self):
        """Make the tokens read only."""
        self.tokens.flags.writeable = False

    @property
    def n_lines(self) -> int:
        """How many lines there are."""
        return len(self.tokens) - int(np.count_nonzero(self.tokens))

    @property
    def starts(self) -> np.ndarray:
        """Where each line starts in `tokens`, and at last where the next would: (n_lines + 1,) of int64."""
        return np.append(0, np.flatnonzero(self.tokens == 0) + 1)

    @property
    def longest(self) -> int:
        """Characters of the longest line."""
        return int(np.diff(self.starts).max()) - 1

    def lines(self) -> Iterator[str]:
        """The lines, in file order."""
        start = 0
        while start < len(self.tokens):
            chunk = self.tokens[start : start + CHUNK_BYTES + MAX_LINE]
            stop = int(np.flatnonzero(chunk == 0)[-1])
            yield from self.vocabulary.decode(chunk[:stop]).split("\n")
            start += stop + 1


def read_corpus(path: str | Path, vocabulary: Vocabulary | None = None) -> Corpus:
    """Read a UTF-8 file with one thing a line.

    White space around a line is dropped, blank lines are skipped, letters are put into Unicode's composed form (NFC),
    and a byte order mark and any kind of line end are understood. The file is read in pieces of `CHUNK_BYTES`, so
    that the memory needed is a few times that of the tokens, not of a Python string a line.

    Args:
        path: the file.
        vocabulary: encode in this one, a trained model's, say; by default in that of the file's own letters.

    Raises:
        CorpusError: the file cannot be opened, is empty or blank, is not UTF-8 text, has a line of more than
            `MAX_LINE` characters, or has a letter that the given vocabulary lacks. The message has the line's number.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _read(file, path.stem, str(path.resolve()), str(path), vocabulary)
    except OSError as error:
        raise _cannot_open(path, error) from error


def corpus_from_lines(lines: Iterable[str], name: str = "lines", vocabulary: Vocabulary | None = None) -> Corpus:
    """The corpus of a file that held these lines; see `read_corpus`."""
    text = "".join(f"{line}\n" for line in lines)
    return _read(io.BytesIO(text.encode("utf-8", "surrogatepass")), name, name, name, vocabulary)


def _read(file: BinaryIO, name: str, source: str, where: str, vocabulary: Vocabulary | None) -> Corpus:
    digest = hashlib.sha256()
    texts = []
    unseen, first_unseen = set(), 0
    offset = number = 0  # bytes and lines before the chunk
    for chunk in _chunks(file):
        digest.update(chunk)
        lines = unicodedata.normalize("NFC", _decode(chunk, where, offset, number)).splitlines()
        kept = [stripped for line in lines if (stripped := line.strip())]
        if kept:
            if max(map(len, kept)) > MAX_LINE:
                raise _too_long(lines, where, number)
            texts.append("\n".join(kept) + "\n")
            if vocabulary is not None and (letters := vocabulary.unseen(texts[-1])):
                unseen |= set(letters)
                first_unseen = first_unseen or number + _first_line_with(letters, lines)
        offset += len(chunk)
        number += len(lines)
    if not texts:
        raise CorpusError(
            "the file has only blank lines" if offset else "the file is empty", expected="one thing a line", where=where
        )
    if vocabulary is not None and unseen:
        raise CorpusError(
            "there are letters that the vocabulary lacks",
            got=f"{spell(sorted(unseen))}, first on line {first_unseen}",
            expected=f"only {spell(vocabulary.chars, limit=100)}",
            where=where,
            next_step="Remove those lines, or train on text that has these letters.",
        )
    vocabulary = vocabulary or Vocabulary.of(texts)
    tokens = np.concatenate([vocabulary.encode_lines(text) for text in texts])
    return Corpus(name, source, digest.hexdigest(), vocabulary, tokens)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """Pieces of the file that end with a line, so that none cuts a line, a letter or a CRLF in two.

    A line that runs on for more than `_RUNAWAY_BYTES` ends the reading; `_decode` reports it.
    """
    rest = b""
    while len(rest) <= _RUNAWAY_BYTES and (block := file.read(CHUNK_BYTES)):
        block = rest + block
        cut = max(block.rfind(b"\n"), block.rfind(b"\r", 0, -1)) + 1  # a last \r may be half of a \r\n
        if cut:
            yield block[:cut]
        rest = block[cut:]
    if rest:
        yield rest


def _decode(chunk: bytes, where: str, offset: int, number: int) -> str:
    """The chunk's text, or an error that names the line: `offset` bytes and `number` lines come before the chunk."""
    if offset == 0 and chunk.startswith(_UTF16_BOMS):
        raise CorpusError(
            "the file is not UTF-8",
            got="a UTF-16 byte order mark",
            expected="UTF-8 text",
            where=where,
            next_step="Save it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE > NEWFILE.",
        )
    if (nul := chunk.find(b"\0")) >= 0:
        line, _ = _locate(chunk, nul)
        raise CorpusError(
            "this looks like a binary file",
            got="a NUL byte",
            expected="UTF-8 text, one thing a line",
            where=f"{where}, line {number + line}",
            next_step="Save it as plain text in UTF-8.",
        )
    if len(chunk) > _RUNAWAY_BYTES and not chunk.endswith((b"\n", b"\r")):
        raise _line_error(f"more than {_RUNAWAY_BYTES:,} bytes without a line end", where, number + 1)
    try:
        text = chunk.decode()
    except UnicodeDecodeError as error:
        at = error.start
        line, column = _locate(chunk, at)
        raise CorpusError(
            "the file is not UTF-8",
            got=f"byte 0x{chunk[at]:02x}, byte {column} of the line and {offset + at + 1:,} of the file",
            expected="UTF-8 text",
            where=f"{where}, line {number + line}",
            next_step="Save it as UTF-8; if it is Latin-1: iconv -f LATIN1 -t UTF-8 FILE > NEWFILE.",
        ) from error
    return text.removeprefix("\ufeff") if offset == 0 else text


def _locate(chunk: bytes, position: int) -> tuple[int, int]:
    """The line of the chunk, and the byte of that line, at `position`, both counted from 1."""
    lines = (chunk[:position].decode(errors="surrogateescape") + ".").splitlines()
    return len(lines), len(lines[-1].encode(errors="surrogateescape"))


def _first_line_with(letters: str, lines: list[str]) -> int:
    return next(i for i, line in enumerate(lines, 1) if not set(letters).isdisjoint(line))


def _too_long(lines: list[str], where: str, number: int) -> CorpusError:
    line, length = next((i, n) for i, line in enumerate(lines, 1) if (n := len(line.strip())) > MAX_LINE)
    return _line_error(f"{length:,} characters", where, number + line)


def _line_error(got: str, where: str, line: int) -> CorpusError:
    return CorpusError(
        "the line is too long",
        got=got,
        expected=f"at most {MAX_LINE:,} characters",
        where=f"{where}, line {line}",
        next_step="Put one thing on each line: a name, a word, a title; cut running text into sentences.",
    )


def _cannot_open(path: Path, error: OSError) -> CorpusError:
    if path.is_dir():
        return CorpusError("this is a folder", expected="a text file", where=path, next_step="Name a file inside it.")
    if isinstance(error, FileNotFoundError):
        return CorpusError("there is no such file", where=path, next_step="Check the path and the current folder.")
    return CorpusError(
        "the file cannot be read",
        got=error.strerror,
        where=path,
        next_step="Check that you may read it: ls -l shows who may.",
    )
