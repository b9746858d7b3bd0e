"""A text with one thing a line, read into one flat array of tokens."""

import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from handgrad.data.catalogue import BUILT_IN, CATALOGUE, did_you_mean
from handgrad.data.flat import hashes, longest
from handgrad.data.large import Stored, is_large, stored
from handgrad.data.reading import read_lines
from handgrad.data.shuffle import shuffled
from handgrad.data.vocabulary import Vocabulary
from handgrad.errors import CorpusError
from handgrad.limits import MAX_LINE

_TOKENS_AT_ONCE = 1 << 20


@dataclass(frozen=True, eq=False)
class Corpus:
    """Lines of text as tokens.

    Args:
        name: what to call it in headings.
        source: the file's absolute path, `built-in:NAME`, or whatever names where the lines came from.
        sha256: of the file's bytes.
        vocabulary: the letters the tokens stand for.
        tokens: every line in file order, each followed by one 0, flat, in the vocabulary's dtype. Read only.
        stored: of a large text, the files that `tokens` is mapped from.

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
    stored: Stored | None = None

    def __post_init__(self):
        """Make the tokens read only."""
        self.tokens.flags.writeable = False

    @property
    def n_lines(self) -> int:
        """How many lines there are."""
        return len(self.tokens) - int(np.count_nonzero(self.tokens)) if self.stored is None else self.stored.n_lines

    @property
    def starts(self) -> np.ndarray:
        """Where each line starts in `tokens`, and at last where the next would: (n_lines + 1,) of int64."""
        if self.stored is None:
            return np.append(0, np.flatnonzero(self.tokens == 0) + 1)
        return self.stored.lines.starts

    @property
    def longest(self) -> int:
        """Characters of the longest line."""
        return longest(self.starts) - 1

    @property
    def n_distinct(self) -> int:
        """How many different lines there are; told apart by a 64-bit hash, which keeps ten million lines small."""
        if self.stored is None:
            return len(np.unique(hashes(self.tokens, self.starts)))
        return shuffled(self.stored, None, distinct=True).n_distinct

    def lines(self) -> Iterator[str]:
        """The lines, in file order."""
        start = 0
        while start < len(self.tokens):
            chunk = self.tokens[start : start + _TOKENS_AT_ONCE + MAX_LINE]
            stop = int(np.flatnonzero(chunk == 0)[-1])
            yield from self.vocabulary.decode(chunk[:stop]).split("\n")
            start += stop + 1


def read_corpus(path: str | Path, vocabulary: Vocabulary | None = None) -> Corpus:
    """Read a UTF-8 file with one thing a line.

    White space around a line is dropped, blank lines are skipped, letters are put into Unicode's composed form (NFC),
    and a byte order mark and any kind of line end are understood. The file is read in pieces of a few megabytes, so
    that the memory needed is a few times that of the tokens, not of a Python string a line. The tokens of a file of
    `handgrad.data.large.LARGE` bytes or more are kept on the disk and need no memory.

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
            if is_large(file):
                text = stored(file, str(path), vocabulary)
                return Corpus(path.stem, str(path.resolve()), text.sha256, text.vocabulary, text.lines.tokens, text)
            return _read(file, path.stem, str(path.resolve()), str(path), vocabulary)
    except OSError as error:
        raise _cannot_open(path, error) from error


def corpus_from_lines(lines: Iterable[str], name: str = "lines", vocabulary: Vocabulary | None = None) -> Corpus:
    """The corpus of a file that held these lines; see `read_corpus`."""
    text = "".join(f"{line}\n" for line in lines)
    return _read(io.BytesIO(text.encode("utf-8", "surrogatepass")), name, name, name, vocabulary)


def resolve_corpus(file: str | Path | None = None, vocabulary: Vocabulary | None = None) -> Corpus:
    """The corpus a user means: the built-in names for None, a file, or a name of the catalogue.

    Args:
        file: a path, a name, or the `source` of a corpus read before.
        vocabulary: passed on to `read_corpus`.

    Raises:
        CorpusError: there is neither such a file nor such a name, the corpus has not been fetched yet, or the file
            cannot be read (see `read_corpus`).

    Example:
        >>> resolve_corpus().n_lines
        32257
    """
    name = BUILT_IN if file is None else str(file).removeprefix("built-in:")
    path = Path(name)
    if file is not None and os.access(path, os.F_OK) and not (path.is_dir() and name in CATALOGUE):
        return read_corpus(path, vocabulary)
    if name not in CATALOGUE:
        raise CorpusError(
            "there is no such file, nor a corpus of that name",
            expected=f"a path, or one of {', '.join(CATALOGUE)}",
            where=name,
            next_step=did_you_mean(path.name, [*CATALOGUE, *(str(near) for near in path.parent.glob("*"))]),
        )
    entry = CATALOGUE[name]
    if not entry.path().is_file():
        raise CorpusError(
            "this corpus has not been fetched yet",
            expected=f"the file {entry.path()}",
            where=name,
            next_step=f"Fetch it: handgrad data fetch {name}.",
        )
    corpus = read_corpus(entry.path(), vocabulary)
    if corpus.sha256 != entry.sha256:
        raise CorpusError(
            "this is not the file of the catalogue",
            got=f"sha256 {corpus.sha256}",
            expected=entry.sha256,
            where=entry.path(),
            next_step=f"Fetch it again: handgrad data fetch {name}.",
        )
    return replace(corpus, name=name, source=f"built-in:{name}") if entry.built_in else corpus


def _read(file: BinaryIO, name: str, source: str, where: str, vocabulary: Vocabulary | None) -> Corpus:
    texts: list[str] = []
    sha256, vocabulary = read_lines(file, where, vocabulary, texts)
    tokens = np.concatenate([vocabulary.encode_lines(text) for text in texts])
    return Corpus(name, source, sha256, vocabulary, tokens)


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
