"""Every example in a docstring shows what happens. Those of `ops` and of `data` are run beside their tests."""

import doctest
import importlib
import pkgutil

import pytest

import handgrad

ELSEWHERE = ("handgrad.ops", "handgrad.data", "handgrad.__main__")
MODULES = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(handgrad.__path__, "handgrad.")
    if not module.name.startswith(ELSEWHERE)
]
EXAMPLES = [
    pytest.param(test, id=test.name)
    for module in [handgrad, *MODULES]
    for test in doctest.DocTestFinder(exclude_empty=True).find(module)
    if test.examples
]


def test_there_are_examples():
    names = {case.id for case in EXAMPLES}
    assert {"handgrad.training.train.train", "handgrad.sampling.sample", "handgrad.lecture.cmp.cmp"} <= names


@pytest.mark.parametrize("test", EXAMPLES)
def test_an_example_shows_what_happens(test, tmp_path):
    """An example that writes files finds an empty folder of its own under the name `folder`."""
    result = doctest.DocTestRunner().run(doctest.DocTest(
        test.examples, {**test.globs, "folder": tmp_path}, test.name, test.filename, test.lineno, test.docstring
    ))  # fmt: skip
    assert result.attempted == len(test.examples)
    assert result.failed == 0


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_module_says_what_it_is(module):
    assert module.__doc__
