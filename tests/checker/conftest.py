"""What the checker's tests share: writing a program to a file, and the lecture's exercise in its own manner."""

from collections.abc import Callable
from pathlib import Path

import pytest

from handgrad.checker import Report, check


@pytest.fixture
def check_text(tmp_path: Path) -> Callable[..., Report]:
    """Check a program that is given as text."""

    def run(text: str, **options) -> Report:
        path = tmp_path / "program.py"
        path.write_bytes(text.encode())
        return check(path, **options)

    return run
