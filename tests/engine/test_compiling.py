"""Where compiled code is kept, and what the engine does without."""

import doctest
import subprocess
import sys

import numpy as np
import pytest

from handgrad.engine import compiling, moments, training


@pytest.mark.parametrize("module", [moments, training], ids=lambda m: m.__name__)
def test_docstrings_show_what_happens(module):
    assert doctest.testmod(module).failed == 0


def test_the_engine_needs_no_torch():
    program = "import sys, handgrad.engine; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.fixture(autouse=True)
def new_cache_folder():
    compiling.cache_folder.cache_clear()
    yield
    compiling.cache_folder.cache_clear()


def twice(x):
    return 2 * x


def test_what_is_compiled_is_kept_in_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert compiling.entry_point(twice)(21) == 42
    assert compiling.cache_folder().parent == tmp_path
    assert [path.suffix for path in sorted(compiling.cache_folder().rglob("*twice*"))] == [".nbc", ".nbi"]
    assert not compiling.is_compiled()


def test_a_folder_that_cannot_be_made_only_costs_time(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    source = "def thrice(x): return 3 * x"  # of no file, so there is no folder beside it either
    namespace = {}
    exec(source, namespace)
    assert compiling.entry_point(namespace["thrice"])(np.float32(14)) == 42
