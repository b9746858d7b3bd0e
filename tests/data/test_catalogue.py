"""Fetching, from a server on this machine."""

import gc
import hashlib
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from handgrad.data import (
    CATALOGUE,
    Entry,
    cache_folder,
    catalogue,
    corpus_from_lines,
    fetch,
    read_corpus,
    resolve_corpus,
)
from handgrad.errors import CorpusError

TEXT = b"ana\nbea\n"


class Server(HTTPServer):
    """Answers every request with `answer`; `requests` counts them."""

    answer: bytes = TEXT
    status: int = 200
    delay: float = 0
    requests: int = 0

    class RequestHandlerClass(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.requests += 1
            time.sleep(self.server.delay)
            self.send_response(self.server.status)
            self.send_header("Content-Length", str(len(self.server.answer)))
            self.end_headers()
            self.wfile.write(self.server.answer)

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.RequestHandlerClass)

    def handle_error(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()
    gc.collect()  # a connection left open warns now


@pytest.fixture
def path(server, tmp_path, monkeypatch) -> Path:
    """Where the corpus `few`, which the server has, will be kept."""
    monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    source = f"http://127.0.0.1:{server.server_port}/few.txt"
    entry = Entry("few", "two names", 2, "public domain", source, hashlib.sha256(TEXT).hexdigest())
    monkeypatch.setitem(CATALOGUE, "few", entry)
    return tmp_path / "cache" / "few.txt"


def test_a_corpus_is_fetched_once(server, path, capfd):
    assert fetch("few") == fetch("few") == path
    assert path.read_bytes() == TEXT
    assert server.requests == 1
    assert capfd.readouterr() == ("", "")
    read = resolve_corpus("few")
    assert (read.name, read.source, list(read.lines())) == ("few", str(path.resolve()), ["ana", "bea"])


def test_a_damaged_file_is_noticed_and_fetched_again(server, path):
    path.parent.mkdir()
    path.write_bytes(TEXT[:-2])
    with pytest.raises(
        CorpusError, match=r"not the file of the catalogue .* Fetch it again: handgrad data fetch few\."
    ):
        resolve_corpus("few")
    fetch("few")
    assert path.read_bytes() == TEXT
    assert server.requests == 1


def test_another_folder(path, tmp_path):
    assert fetch("few", tmp_path / "mine") == tmp_path / "mine" / "few.txt"
    assert not path.exists()


def test_what_is_not_the_file_is_thrown_away(server, path):
    server.answer = b"<html>please log in</html>"
    with pytest.raises(CorpusError, match="what came is not the file of the catalogue") as caught:
        fetch("few")
    assert str(path) in caught.value.next_step
    assert list(path.parent.iterdir()) == []


def test_no_such_page(server, path):
    server.status = 404
    with pytest.raises(CorpusError, match=r"could not be fetched \(got HTTP status 404\)") as caught:
        fetch("few")
    assert str(path) in caught.value.next_step


@pytest.mark.slow
def test_a_server_that_does_not_answer(server, path, monkeypatch):
    monkeypatch.setattr(catalogue, "TIMEOUT_S", 0.1)
    server.delay = 0.5
    with pytest.raises(CorpusError, match=r"could not be fetched \(got ReadTimeout\)"):
        fetch("few")
    assert not path.exists()


def test_without_a_network(server, path, capfd):
    server.server_close()
    with pytest.raises(CorpusError, match=r"could not be fetched \(got ConnectionError\)") as caught:
        fetch("few")
    assert caught.value.next_step.endswith(f"put it at {path}.")
    path.write_bytes(TEXT)
    assert fetch("few") == path
    assert capfd.readouterr() == ("", "")


def test_a_folder_that_cannot_be(path):
    path.parent.write_text("a file")
    with pytest.raises(CorpusError, match=r"cannot be kept .* HANDGRAD_DATA"):
        fetch("few")


def test_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("HANDGRAD_DATA", "")
    assert "handgrad" in cache_folder().parts


def test_the_built_in_names_need_no_network():
    entry = CATALOGUE["ssa_names_2018"]
    assert fetch("ssa_names_2018") == entry.path()
    read = resolve_corpus()
    assert (read.n_lines, read.longest, read.vocabulary.size) == (entry.lines, 15, 27)
    assert read.sha256 == entry.sha256
    assert read.source == "built-in:ssa_names_2018"
    for name in ("ssa_names_2018", read.source):
        assert resolve_corpus(name).source == read.source


def test_a_file_comes_before_a_name_and_a_name_before_a_folder(path, monkeypatch):
    fetch("few")
    monkeypatch.chdir(path.parent.parent)
    Path("few").mkdir()
    assert resolve_corpus("few").n_lines == 2
    Path("few").rmdir()
    Path("few").write_text("eve\n")
    assert list(resolve_corpus("few").lines()) == ["eve"]


@pytest.mark.parametrize(
    ("file", "fragments"),
    [
        ("few", ["few: this corpus has not been fetched yet", "cache/few.txt", "handgrad data fetch few"]),
        ("nmaes", ["nmaes: there is no such file, nor a corpus of that name", "Did you mean names?"]),
        ("folder/lst.txt", ["folder/lst.txt: there is no such file", "Did you mean folder/list.txt?"]),
        ("nowhere/qq", ["nowhere/qq: there is no such file", "handgrad data list"]),
        ("folder", ["folder: this is a folder"]),
        ("x" * 5000, ["there is no such file"]),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_what_cannot_be_resolved(path, tmp_path, monkeypatch, file, fragments):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("folder/list.txt").write_text("ana\n")
    with pytest.raises(CorpusError) as caught:
        resolve_corpus(file)
    for fragment in fragments:
        assert fragment in str(caught.value)
    assert not path.exists()


def test_a_vocabulary_is_passed_on():
    vocabulary = corpus_from_lines(["abcdefghijklmnopqrstuvwxyz'"]).vocabulary
    assert resolve_corpus(None, vocabulary).vocabulary is vocabulary


def test_fetching_an_unknown_name():
    with pytest.raises(CorpusError, match=r"nmaes: there is no corpus of that name .* Did you mean names\?"):
        fetch("nmaes")


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.name)
def test_entries_are_pinned(entry):
    assert re.fullmatch("[0-9a-f]{64}", entry.sha256)
    assert entry.built_in or re.match(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{40}/", entry.source)


def test_the_lecture_names_are_the_entry(names_txt):
    read = read_corpus(names_txt)
    assert (read.sha256, read.n_lines) == (CATALOGUE["names"].sha256, CATALOGUE["names"].lines)
