"""What the tests of the command share: a warm process to fork it from, a text, and a run trained on it."""

import shutil
from pathlib import Path

import pytest

from handgrad.data import resolve_corpus

from .command import SMALL, Warm


@pytest.fixture(scope="session")
def handgrad():
    """Runs the command: `handgrad("sample", "run", folder=...)`."""
    warm = Warm()
    yield warm
    warm.close()


@pytest.fixture(scope="session")
def names() -> bytes:
    """Sixty of the built-in names, a line each."""
    names = list(resolve_corpus().lines())[:60]
    return "".join(f"{name}\n" for name in names).encode()


@pytest.fixture(scope="session")
def trained(handgrad, names, tmp_path_factory):
    """What `handgrad train names.txt --out run` left, and what it said. Not to be changed: `work` is a copy."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "names.txt").write_bytes(names)
    return folder, handgrad("train", "names.txt", "--out", "run", *SMALL, folder=folder)


@pytest.fixture(scope="session")
def learnt(handgrad, tmp_path_factory):
    """A folder with `run`, which has learnt the three lines of its text half by heart, and what `train` said."""
    folder = tmp_path_factory.mktemp("learnt")
    (folder / "ab.txt").write_text("a\nb\nab\n" * 10)
    flags = ("--model", "mlp", "--steps", "60", "--n-hidden", "8", "--batch-size", "8")
    return folder, handgrad("train", "ab.txt", "--out", "run", *flags, folder=folder)


@pytest.fixture
def work(trained, tmp_path) -> Path:
    """A folder with `names.txt`, and `run` trained on it."""
    folder, ended = trained
    assert ended.code == 0, ended.err
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    config = tmp_path / "run" / "config.json"
    config.write_text(config.read_text().replace(str(folder), str(tmp_path)))
    return tmp_path
