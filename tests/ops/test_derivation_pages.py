"""Every Python example of the derivation pages runs, and every relative link leads to a file."""

import re
from pathlib import Path

import pytest
import torch

DERIVATIONS = Path(__file__).parents[2] / "docs" / "derivations"
PAGES = sorted(DERIVATIONS.glob("*.md"))
EXAMPLES = [
    pytest.param(match[1], id=f"{page.stem}-{number}")
    for page in PAGES
    for number, match in enumerate(re.finditer(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.M), 1)
]


@pytest.mark.parametrize("source", EXAMPLES)
def test_example_runs(source):
    torch.manual_seed(0)
    assert "assert " in source
    exec(compile(source, "example", "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_has_an_example_and_its_links_lead_somewhere(page):
    text = page.read_text("utf-8")
    assert "```python\n" in text
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert links
    for link in links:
        assert (page.parent / link).exists(), link


def test_each_operation_has_a_page():
    operations = {path.stem for path in (DERIVATIONS.parents[1] / "src/handgrad/ops").glob("[!_]*.py")}
    assert {page.stem for page in PAGES} == operations - {"broadcast"} | {"README"}
