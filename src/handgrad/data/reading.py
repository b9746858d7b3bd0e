"""Text of a file, some megabytes of whole lines at a time, and the errors that say on which line it went wrong."""

import codecs
import hashlib
import unicodedata
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, Protocol

from handgrad.data.vocabulary import Vocabulary, spell
from handgrad.errors import CorpusError
from handgrad.limits import MAX_LINE

CHUNK_BYTES = 4 << 20
"""How much of a file is read at once."""

_RUNAWAY_BYTES = 1 << 20
_UTF16_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Piece(NamedTuple):
    """Some lines of a file, whole, stripped and in composed form, blank ones included.

    Args:
        data: the bytes they were.
        number: how many lines come before.
        lines: the lines.
    """

    data: bytes
    number: int
    lines: list[str]


class Texts(Protocol):
    """Texts that are read again in the order in which they came: a list, or what keeps them on the disk."""

    def append(self, text: str, /) -> None:
        """One more."""

    def __iter__(self) -> Iterator[str]:
        """All of them."""
        ...


def read_lines(file: BinaryIO, where: str, vocabulary: Vocabulary | None, texts: Texts) -> tuple[str, Vocabulary]:
    """Read a UTF-8 file with one thing a line.

    Args:
        file: opened for reading bytes.
        where: what to call it in a message.
        vocabulary: that of its letters; None for that which they make.
        texts: receives the lines that are not blank, each followed by a line feed, some megabytes at a time.

    Returns:
        The sha256 of its bytes, and the vocabulary.

    Raises:
        CorpusError: as `pieces` does; or it is empty or blank, or has a letter that the vocabulary lacks.
    """
    digest, n_lines, n_kept = hashlib.sha256(), 0, 0
    unseen, first_unseen = set(), 0
    for data, number, lines in pieces(file, where):
        digest.update(data)
        n_lines += len(lines)
        if kept := list(filter(None, lines)):
            n_kept += len(kept)
            text = "\n".join(kept) + "\n"
            texts.append(text)
            if vocabulary is not None and (letters := vocabulary.unseen(text)):
                unseen.update(letters)
                first_unseen = first_unseen or number + _first_line_with(letters, lines)
    if not n_kept:
        what = "the file has only blank lines" if n_lines else "the file is empty"
        raise CorpusError(what, expected="one thing a line", where=where)
    if unseen:
        raise CorpusError(
            "there are letters that the vocabulary lacks",
            got=f"{spell(sorted(unseen))}, first on line {first_unseen}",
            expected=f"only {vocabulary}",
            where=where,
            next_step="Remove those lines, or train on text that has these letters.",
        )
    return digest.hexdigest(), vocabulary or Vocabulary.of(texts)


def _first_line_with(letters: str, lines: list[str]) -> int:
    return next(i for i, line in enumerate(lines, 1) if not set(letters).isdisjoint(line))


def pieces(file: BinaryIO, where: str) -> Iterator[Piece]:
    """Read a UTF-8 file piece by piece.

    Args:
        file: opened for reading bytes; a pipe will do.
        where: what to call it in a message.

    Raises:
        CorpusError: it is not UTF-8 text, or has a line of more than `MAX_LINE` characters.
    """
    offset = number = 0
    for chunk in _chunks(file):
        text = unicodedata.normalize("NFC", _decode(chunk, where, offset, number))
        lines = [line.strip() for line in text.splitlines()]
        if max(map(len, lines), default=0) > MAX_LINE:
            line, length = next((i, len(line)) for i, line in enumerate(lines, 1) if len(line) > MAX_LINE)
            raise _too_long(f"{length:,} characters", where, number + line)
        yield Piece(chunk, number, lines)
        offset += len(chunk)
        number += len(lines)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """Pieces of the file that end with a line, so that none cuts a line, a letter or a CRLF in two.

    A line that runs on for more than `_RUNAWAY_BYTES` ends the reading; `_decode` reports it.
    """
    rest = b""
    while len(rest) <= _RUNAWAY_BYTES and (block := file.read(CHUNK_BYTES)):
        block = rest + block
        if cut := _after_last_line(block):
            yield block[:cut]
        rest = block[cut:]
    if rest:
        yield rest


def _after_last_line(block: bytes) -> int:
    """Where the last line that surely ends in the block ends: a carriage return as last byte may be half a CRLF."""
    return max(block.rfind(b"\n"), block.rfind(b"\r", 0, -1)) + 1


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
    if len(chunk) > _RUNAWAY_BYTES and not _after_last_line(chunk):
        raise _too_long(f"more than {_RUNAWAY_BYTES:,} bytes without a line end", where, number + 1)
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


def _too_long(got: str, where: str, line: int) -> CorpusError:
    return CorpusError(
        "the line is too long",
        got=got,
        expected=f"at most {MAX_LINE:,} characters",
        where=f"{where}, line {line}",
        next_step="Put one thing on each line: a name, a word, a title; cut running text into sentences.",
    )
