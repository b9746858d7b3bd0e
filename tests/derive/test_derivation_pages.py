"""The derivation pages are what their forward lines come to."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
spec = importlib.util.spec_from_file_location("derivation_pages", DOCS / "derivation_pages.py")
derivation_pages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(derivation_pages)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", derivation_pages.PAGES)
def test_a_page_is_written_by_its_lines(name):
    page = (derivation_pages.FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert derivation_pages.written(derivation_pages.PAGES[name]) == page, "'make docs' writes the pages anew"


def test_no_page_is_left_over():
    assert {path.stem for path in derivation_pages.FOLDER.glob("*.md")} == set(derivation_pages.PAGES)
    index = (DOCS / "derivations" / "README.md").read_text(encoding="utf-8")
    assert all(f"(generated/{name}.md)" in index for name in derivation_pages.PAGES)
