"""What the tests of training share."""

from pathlib import Path

import pytest

from handgrad.data import resolve_corpus


@pytest.fixture(scope="session")
def some_names(tmp_path_factory) -> Path:
    """A file of the first 200 built-in names: a text that trains and measures in a moment."""
    names = list(resolve_corpus().lines())[:200]
    path = tmp_path_factory.mktemp("text") / "names.txt"
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return path
