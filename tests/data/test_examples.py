"""The examples in the docstrings."""

import doctest

import pytest

from handgrad.data import catalogue, corpus, dataset, reading, vocabulary


@pytest.mark.parametrize("module", [catalogue, corpus, dataset, reading, vocabulary], ids=lambda m: m.__name__)
def test_docstrings_show_what_happens(module):
    assert doctest.testmod(module).failed == 0
