"""A text in memory and on the disk."""

from pathlib import Path

import numpy as np
import pytest

from handgrad.data import Vocabulary, large, read_corpus, split

A_FEW = "emma\nolivia\nava\nmia\nemma\nnoah\nliam\nava\neve\nada\nida\nzoe\nmia\n"


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
