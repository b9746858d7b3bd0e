"""Property tests without a time limit per example: a busy machine is no failure."""

from pathlib import Path

import pytest
from hypothesis import settings

from handgrad.data import shuffle

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Where what is made of large texts is kept."""
    monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "texts"


@pytest.fixture
def write(tmp_path):
    """Writes a text file, and returns its path."""

    def write(data: bytes | str) -> Path:
        path = tmp_path / "text.txt"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return write


@pytest.fixture
def some_at_once(monkeypatch):
    """Have a small text shuffled as a large one is."""
    monkeypatch.setattr(shuffle, "LINES_AT_ONCE", 40)
    monkeypatch.setattr(shuffle, "TOKENS_AT_ONCE", 300)
