"""Texts whose tokens are kept on the disk, against the same texts in memory."""

import codecs
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import handgrad
from handgrad.data import Vocabulary, large, read_corpus, reading, shuffle, split
from handgrad.engine.lines import read_lines
from handgrad.errors import CorpusError
from handgrad.preparing import listening
from handgrad.training import pace
from handgrad.training.results import read_results

from .both_ways import A_FEW, assert_equal, assert_the_same, both

pytestmark = pytest.mark.usefixtures("folder", "some_at_once")

few_kinds = st.integers(1, 30).flatmap(
    lambda n: st.lists(st.sampled_from([chr(97 + i % 26) * (1 + i // 26) for i in range(n)]), min_size=10, max_size=400)
)
odd_lines = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12), min_size=10, max_size=60
)


@given(few_kinds | odd_lines, st.sampled_from(["\n", "\r", "\r\n", "\n\n", "\u2028"]), st.booleans(), st.booleans())
@settings(max_examples=25)
def test_on_the_disk_a_text_is_the_same(tmp_path_factory, some_lines, end, marked, ordered):
    path = tmp_path_factory.mktemp("large") / "text.txt"
    path.write_bytes(codecs.BOM_UTF8 * marked + "".join(line + end for line in some_lines).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDGRAD_DATA", str(path.parent))
        patch.setattr(reading, "CHUNK_BYTES", 50)
        try:
            in_memory, on_disk = both(path)
        except CorpusError:
            assume(False)
        assume(in_memory.n_lines >= 10)
        order = np.random.default_rng(1).permutation(in_memory.n_lines) if ordered else None
        assert_the_same(in_memory, on_disk, order)


def test_many_letters(write):
    in_memory, on_disk = both(write("".join(f"{chr(letter)}\n" for letter in range(0x4E00, 0x4F50))))
    assert on_disk.tokens.dtype == np.uint16
    assert_the_same(in_memory, on_disk)


def test_more_letters_than_two_bytes_tell_apart(write, monkeypatch):
    monkeypatch.setattr(shuffle, "LINES_AT_ONCE", 2**15)
    monkeypatch.setattr(shuffle, "TOKENS_AT_ONCE", 2**17)
    letters = [*range(0x4E00, 0x9FA5), *range(0x20000, 0x2A6D6), *range(0xAC00, 0xD7A4)]
    in_memory, on_disk = both(write("".join(f"{chr(letter)}\n" for letter in letters)))
    assert on_disk.tokens.dtype == np.uint32
    assert_the_same(in_memory, on_disk)


def test_a_long_line_among_short_ones(write):
    assert_the_same(*both(write(A_FEW + "é" * 10_000 + "\n" + A_FEW)))


def test_what_cannot_be_read_is_said_as_before(folder, write, monkeypatch):
    path = write(A_FEW + "a" * 10_001)
    messages = []
    for bound in (large.LARGE, 1):
        monkeypatch.setattr(large, "LARGE", bound)
        for vocabulary in (None, Vocabulary("aemv")):
            with pytest.raises(CorpusError) as caught:
                read_corpus(path, vocabulary)
            messages.append(str(caught.value))
        path.write_text(A_FEW)
        with pytest.raises(CorpusError) as caught:
            read_corpus(path, Vocabulary("aemv"))
        messages.append(str(caught.value))
        path.write_text(A_FEW + "a" * 10_001)
    assert messages[:3] == messages[3:]
    assert not list(folder.glob("*/"))


def test_another_vocabulary_is_kept_apart(write):
    path = write(A_FEW)
    own, other = both(path)[1], both(path, Vocabulary("adehiklmnovzé"))[1]
    assert own.vocabulary.chars != other.vocabulary.chars
    assert_the_same(*both(path, Vocabulary("adehiklmnovzé")))
    assert_the_same(*both(path))


def test_training_is_the_same_to_the_last_bit(folder, write, tmp_path, monkeypatch):
    text = write("".join(f"{line}\n" for line in handgrad.data.resolve_corpus().lines()))
    sizes = {"steps": 30, "batch_size": 8, "n_hidden": 8, "n_embd": 4, "block_size": 3}
    monkeypatch.setattr(shuffle, "LINES_AT_ONCE", 5_000)
    monkeypatch.setattr(shuffle, "TOKENS_AT_ONCE", 50_000)
    in_memory = handgrad.train(text, model="mlp", **sizes, out=tmp_path / "memory")
    monkeypatch.setattr(large, "LARGE", 1)
    on_disk = handgrad.train(text, model="mlp", **sizes, out=tmp_path / "disk")
    assert len(list(folder.glob("*/"))) == 2
    for ours, theirs in ((on_disk.parameters, in_memory.parameters), (on_disk.buffers, in_memory.buffers)):
        assert_equal(ours.values(), theirs.values())
    for name in ("samples.txt", "history.csv"):
        assert (tmp_path / "disk" / name).read_text() == (tmp_path / "memory" / name).read_text()
    assert handgrad.evaluate(tmp_path / "disk") == handgrad.evaluate(tmp_path / "memory")


@pytest.mark.slow
def test_preparing_does_not_count_as_time_to_train(write, tmp_path, monkeypatch):
    monkeypatch.setattr(large, "LARGE", 1)
    text = write(A_FEW * 3)
    with listening(lambda what, _: time.sleep(1.6 * (what == "reading the text"))):
        model = handgrad.train(
            text, model="mlp", time=1.5, batch_size=8, n_hidden=8, n_embd=4, out=tmp_path / "run", progress=False
        )
    assert read_results(model.run).steps > pace.LEAST


def test_minibatches_of_lines_are_the_same(write):
    numbers = np.array([[0, 9, 3], [9, 1, 1]])
    in_memory, on_disk = (split(text).train for text in both(write(A_FEW)))
    for part in (on_disk, pickle.loads(pickle.dumps(on_disk))):
        ours, theirs = (read_lines(some.tokens, some.starts, numbers) for some in (part, in_memory))
        assert_equal(ours, theirs)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_text(tmp_path):
    """Of its own, by the operating system's count; in memory, this text takes some 700 MB."""
    path, rng = tmp_path / "text.txt", np.random.default_rng(1)
    lengths = rng.integers(6, 16, 6_500_000)
    letters = rng.integers(97, 123, lengths.sum() + len(lengths), np.uint8)
    letters[np.cumsum(lengths + 1) - 1] = ord("\n")
    letters.tofile(path)
    assert path.stat().st_size > large.LARGE
    code = """
import sys, threading, time
from pathlib import Path
from handgrad import data
most = 0
def watch():
    global most
    while True:
        lines = Path("/proc/self/status").read_text().splitlines()
        most = max(most, *(int(line.split()[1]) for line in lines if line.startswith("RssAnon")))
        time.sleep(0.005)
threading.Thread(target=watch, daemon=True).start()
corpus = data.read_corpus(sys.argv[1])
parts = data.split(corpus, distinct=True)
print(corpus.n_lines, corpus.n_distinct > 6_000_000, corpus.longest, sum(part.n_lines for part in parts), most)
"""
    words = subprocess.run(
        [sys.executable, "-c", code, path], check=True, capture_output=True, text=True
    ).stdout.split()
    assert words[:4] == ["6500000", "True", "15", "6500000"]
    assert int(words[4]) < 150_000
