"""Files as people have them, and what is wrong with some."""

import codecs
import hashlib
import os
import subprocess
import sys
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from handgrad.data import Vocabulary, corpus, corpus_from_lines, read_corpus, reading, resolve_corpus, split
from handgrad.errors import CorpusError

line_ends = st.sampled_from(["\n", "\r", "\r\n", "\n\n", "\u2028"])
lines = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12))


def as_read(text: str) -> list[str]:
    return [s for line in unicodedata.normalize("NFC", text).splitlines() if (s := line.strip())]


@given(lines)
def test_lines_come_back(some_lines):
    expected = as_read("\n".join(some_lines).removeprefix("\ufeff"))
    assume(expected)
    read = corpus_from_lines(some_lines)
    assert list(read.lines()) == expected
    assert read.n_lines == len(expected)
    assert read.n_distinct == len(set(expected))
    assert read.longest == max(map(len, expected))
    assert read.vocabulary.chars == "".join(sorted(set("".join(expected))))
    assert read.tokens.tolist() == [
        token for line in expected for token in [*(read.vocabulary.stoi[c] for c in line), 0]
    ]
    assert [read.vocabulary.decode(read.tokens[a : b - 1]) for a, b in pairwise(read.starts)] == expected


@given(lines, st.lists(line_ends, min_size=20), st.booleans(), st.integers(1, 9))
def test_neither_line_ends_nor_byte_order_mark_nor_cuts_matter(tmp_path_factory, some_lines, ends, marked, chunk_bytes):
    text = "".join(line + end for line, end in zip(some_lines, ends, strict=False))
    expected = as_read(text.removeprefix("\ufeff"))
    assume(expected)
    path = tmp_path_factory.mktemp("corpus") / "text.txt"
    data = (codecs.BOM_UTF8 if marked and not text.startswith("\ufeff") else b"") + text.encode()
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "CHUNK_BYTES", chunk_bytes)
        read = read_corpus(path)
    assert list(read.lines()) == expected
    assert read.sha256 == hashlib.sha256(data).hexdigest()


def test_a_corpus_names_its_file(write, monkeypatch):
    path = write("b\na\n")
    monkeypatch.chdir(path.parent)
    read = read_corpus("text.txt")
    assert (read.name, read.source) == ("text", str(path.resolve()))


def test_composed_and_decomposed_letters_are_one(write):
    assert read_corpus(write("é\ne\u0301\n")).vocabulary.chars == "é"


def test_tokens_cannot_be_changed_by_mistake():
    with pytest.raises(ValueError, match="read-only"):
        corpus_from_lines(["a"]).tokens[0] = 2


def test_lines_are_decoded_in_pieces(monkeypatch):
    read = resolve_corpus()
    whole = read.vocabulary.decode(read.tokens).splitlines()
    monkeypatch.setattr(corpus, "_TOKENS_AT_ONCE", 1)
    assert list(read.lines()) == whole


BAD = {
    "empty": (b"", ["text.txt: the file is empty", "one thing a line"]),
    "blank": (b"\n \r\n\t\n", ["text.txt: the file has only blank lines"]),
    "latin-1": ("ana\r\nbeg\nzo\xeb\n".encode("latin-1"), ["text.txt, line 3", "0xeb, byte 3 of the line and 12 of"]),
    "cut short": ("aña\nzoë".encode()[:-1], ["text.txt, line 2", "byte 0xc3, byte 3 of the line and 8 of the file"]),
    "surrogate": (b"a\n\xed\xa0\x80", ["line 2", "byte 0xed"]),
    "utf-16": ("ana".encode("utf-16"), ["UTF-16 byte order mark", "iconv -f UTF-16"]),
    "utf-16 without a mark": ("ana\n".encode("utf-16-le"), ["line 1: this looks like a binary file", "NUL"]),
    "NUL": (b"ana\nb\0\n", ["text.txt, line 2: this looks like a binary file"]),
    "long line": (b"ana\n\n" + b"b" * 10_001 + b"\n", ["line 3: the line is too long", "10,001 characters", "10,000"]),
}


@pytest.mark.parametrize("chunk_bytes", [1, 5, 1 << 20], ids=str)
@pytest.mark.parametrize(("data", "fragments"), BAD.values(), ids=BAD)
def test_what_cannot_be_read_says_where_and_why(write, monkeypatch, data, fragments, chunk_bytes):
    monkeypatch.setattr(reading, "CHUNK_BYTES", chunk_bytes)
    with pytest.raises(CorpusError) as caught:
        read_corpus(write(data))
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_the_longest_line_allowed_is_read(write):
    assert read_corpus(write(" " + "é" * 1000 + " \nb")).longest == 1000


def test_reading_ends_where_a_line_never_does():
    class Endless:
        reads = 0

        def read(self, size):
            self.reads += 1
            assert self.reads < 5
            return "é".encode() * (size // 2)

    with pytest.raises(CorpusError, match=r"somewhere, line 1: .* more than 1,048,576 bytes without a line end"):
        list(reading.pieces(Endless(), "somewhere"))


def test_carriage_returns_alone_end_lines_however_long_the_file(write, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK_BYTES", 8)
    monkeypatch.setattr(reading, "_RUNAWAY_BYTES", 16)
    assert list(read_corpus(write("ana\r" * 20)).lines()) == ["ana"] * 20


def test_a_byte_order_mark_is_a_letter_further_on(write, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK_BYTES", 1)
    assert list(read_corpus(write("a\n\ufeffb\n")).lines()) == ["a", "\ufeffb"]


def test_a_pipe_is_read():
    reader, writer = os.pipe()
    os.write(writer, b"ana\nbea\n")
    os.close(writer)
    assert list(read_corpus(f"/dev/fd/{reader}").lines()) == ["ana", "bea"]
    os.close(reader)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(CorpusError, match=r"nope\.txt: there is no such file\. Check the path"):
        read_corpus(tmp_path / "nope.txt")
    with pytest.raises(CorpusError, match="this is a folder"):
        read_corpus(tmp_path)


def test_a_file_that_may_not_be_read(write, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    path = write("ana\n")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CorpusError, match=r"text\.txt: the file cannot be read \(got Permission denied\)"):
        read_corpus(path)


def test_a_given_vocabulary_is_kept(write):
    vocabulary = Vocabulary("abcé")
    read = read_corpus(write("ba\ncé\n"), vocabulary)
    assert read.vocabulary is vocabulary
    assert read.tokens.tolist() == [2, 1, 0, 3, 4, 0]


@pytest.mark.parametrize("chunk_bytes", [1, 1 << 20], ids=str)
def test_a_given_vocabulary_names_what_it_lacks(write, monkeypatch, chunk_bytes):
    monkeypatch.setattr(reading, "CHUNK_BYTES", chunk_bytes)
    with pytest.raises(CorpusError, match=r"text\.txt: .*\(got 'x', 'é', first on line 4, expected only ab\)"):
        read_corpus(write("ab\n\nba\nbé\nax\n"), Vocabulary("ab"))


def test_too_few_lines_to_split():
    assert [len(part) for part in split(corpus_from_lines("abcdefghij"))] == [16, 2, 2]
    with pytest.raises(CorpusError, match=r"too few lines to split \(got 9, expected at least 10\)"):
        split(corpus_from_lines("abcdefghi"))


def test_importing_is_light():
    code = "import sys, handgrad.data; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "numpy" in modules
    assert not {"torch", "matplotlib", "pooch", "requests"}.intersection(modules)


def test_the_lecture_names(names_txt):
    read = read_corpus(names_txt)
    assert (read.n_lines, read.longest, read.vocabulary.size) == (32_033, 15, 27)
    assert list(read.lines()) == names_txt.read_text().splitlines()
    assert read.tokens.dtype == np.uint8
