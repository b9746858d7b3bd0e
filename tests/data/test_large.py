"""Texts whose tokens are kept on the disk, against the same texts in memory."""

import codecs
import io
import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rich.console import Console

import handgrad
from handgrad.data import Vocabulary, large, read_corpus, reading, shuffle, split
from handgrad.engine.lines import read_lines
from handgrad.errors import CorpusError
from handgrad.preparing import listening
from handgrad.training import pace
from handgrad.training.progress import PreparationProgress
from handgrad.training.results import read_results

A_FEW = "emma\nolivia\nava\nmia\nemma\nnoah\nliam\nava\neve\nada\nida\nzoe\nmia\n"
IN_A_PROCESS = """
import sys
from handgrad import cli, data, preparing
from handgrad.data import large, shuffle
large.LARGE, shuffle.LINES_AT_ONCE = 1, 5
def told(what, done):
    if what:
        print(what, flush=True)
"""
"""What a process that takes every text for a large one begins with."""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "texts"


@pytest.fixture
def write(tmp_path):
    def write(data: bytes | str) -> Path:
        path = tmp_path / "text.txt"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return write


@pytest.fixture(autouse=True)
def some_at_once(monkeypatch):
    monkeypatch.setattr(shuffle, "LINES_AT_ONCE", 40)
    monkeypatch.setattr(shuffle, "TOKENS_AT_ONCE", 300)


def both(path: Path, vocabulary: Vocabulary | None = None):
    """The corpus in memory, and the one on the disk."""
    with pytest.MonkeyPatch.context() as patch:
        in_memory = read_corpus(path, vocabulary)
        patch.setattr(large, "LARGE", 1)
        on_disk = read_corpus(path, vocabulary)
    assert (in_memory.stored is None, on_disk.stored is None) == (True, False)
    return in_memory, on_disk


def assert_equal(ours, theirs):
    for array, other in zip(ours, theirs, strict=True):
        assert (array.dtype, array.shape) == (other.dtype, other.shape)
        assert np.array_equal(array, other)


def assert_the_same(in_memory, on_disk, order=None):
    assert_equal((on_disk.tokens, on_disk.starts), (in_memory.tokens, in_memory.starts))
    for name in ("name", "source", "sha256", "vocabulary", "n_lines", "n_distinct", "longest"):
        assert getattr(on_disk, name) == getattr(in_memory, name), name
    assert list(on_disk.lines()) == list(in_memory.lines())
    for distinct in (False, True):
        for part, other in zip(split(on_disk, order, distinct), split(in_memory, order, distinct), strict=True):
            assert_equal((part.tokens, part.starts), (other.tokens, other.starts))


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


def python(code: str, *words: object, **more) -> subprocess.Popen:
    """A process that takes every text for a large one."""
    command = [sys.executable, "-c", IN_A_PROCESS + code, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


@pytest.mark.parametrize("stage", ["reading the text", "dealing its lines", "looking for equal lines", "sorting"])
def test_what_a_kill_leaves_is_not_believed(folder, write, stage):
    path = write(A_FEW * 3)
    code = """
def told(what, done):
    if what.startswith(sys.argv[2]):
        print(what, flush=True)
        sys.stdin.read()
with preparing.listening(told):
    data.split(data.read_corpus(sys.argv[1]), distinct=True)
"""
    process = python(code, path, stage, stdin=subprocess.PIPE)
    assert process.stdout.readline().startswith(stage)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(list(folder.glob("*.part"))) == 1
    assert_the_same(*both(path))
    assert not list(folder.glob("*.part"))


def test_a_file_that_was_cut_short_is_made_anew(folder, write):
    path = write(A_FEW)
    assert_the_same(*both(path))
    for file in folder.glob("*/*.tokens"):
        os.truncate(file, file.stat().st_size - 1)
    assert_the_same(*both(path))


def test_processes_that_come_together_prepare_it_once(write):
    path = write(A_FEW * 20)
    code = """
with preparing.listening(told):
    for part in data.split(data.read_corpus(sys.argv[1]), distinct=True):
        print(part.tokens.tobytes().hex())
"""
    outputs = [process.communicate() for process in [python(code, path) for _ in range(3)]]
    assert [error for _, error in outputs] == [""] * 3
    said = [output.splitlines() for output, _ in outputs]
    assert (
        sum("reading the text" in lines for lines in said) == sum("sorting its lines" in lines for lines in said) == 1
    )
    assert len({tuple(lines[-3:]) for lines in said}) == 1


def test_a_file_that_changes_meanwhile(folder, write, monkeypatch):
    path = write(A_FEW)
    monkeypatch.setattr(large, "LARGE", 1)
    monkeypatch.setattr(reading, "CHUNK_BYTES", 20)

    def change(_, done):
        with path.open("a") as file:
            file.write("late\n" * (done < 0.5))

    with (
        pytest.raises(CorpusError, match=r"text\.txt: the file has changed while it was read\. Try again once"),
        listening(change),
    ):
        read_corpus(path)
    assert not list(folder.glob("*/"))


def test_no_folder_and_no_room_are_said_in_a_line(folder, write):
    path, code = write(A_FEW * 20_000), "sys.exit(cli.main(['data', 'show', sys.argv[1]]))"
    environment = {**os.environ, "HANDGRAD_DATA": str(path)}
    process = python(code, path, env=environment)
    assert process.communicate()[1] == (
        f"handgrad: {path}/texts: a large text cannot be prepared there (got Not a directory, expected a folder that "
        "can be written to). Name another in the environment variable HANDGRAD_DATA.\n"
    )
    assert process.returncode == 2
    process = python(code, path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20)))
    error = process.communicate()[1]
    assert error.count("\n") == 1
    assert "(got File too large, expected room for a few times the text). Free some space, or name another" in error
    assert process.returncode == 2
    assert not list(folder.glob("*/"))


def test_a_terminal_shows_how_far_it_is(write, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(large, "LARGE", 1)
    shown = PreparationProgress(Console(file=screen, force_terminal=True, width=80))
    with listening(shown):
        split(read_corpus(write(A_FEW)))
    assert all(stage in screen.getvalue() for stage in ("reading the text", "dealing its lines", "sorting its lines"))
    assert screen.getvalue().endswith("\x1b[2K")  # the bar is gone


def test_what_is_kept_can_be_removed(folder, write, capsys):
    from handgrad import cli

    assert_the_same(*both(write(A_FEW)))
    (folder / "dead-v1.x.part").mkdir()
    (folder / "dead-v1.x.part" / "texts").write_text("half")
    assert cli.main(["data", "list"]) == 0
    assert "kept of large texts: 0.0 MB (handgrad data clear)" in capsys.readouterr().out
    assert cli.main(["data", "clear"]) == 0
    assert capsys.readouterr().out.startswith("0.0 MB removed from ")
    assert cli.main(["data", "list"]) == 0
    assert "large texts" not in capsys.readouterr().out
    assert not list(folder.glob("*/"))


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
