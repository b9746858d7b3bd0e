"""`--fix --write` changes the lines at fault and nothing else, in every form that a file can have."""

import json

import pytest

from handgrad import check
from handgrad.checker import Diagnosis
from handgrad.checker.faces.mend import mend, mended

SMALL = """\
import torch
x, w = torch.randn(5, 3), torch.randn(3, 2)
y = x @ w
loss = (y**2).mean()
note = "caf\u00e9"
dy = 2 * y / y.numel()
dw = x.T @ dy * 2"""
WRONG, RIGHT = "dw = x.T @ dy * 2", "dw = x.T @ dy"

SCRIPTS = {
    "no-newline-at-the-end": (SMALL, "utf-8"),
    "windows": (SMALL.replace("\n", "\r\n") + "\r\n", "utf-8"),
    "old-mac": (SMALL.replace("\n", "\r") + "\r", "utf-8"),
    "mixed-newlines": (SMALL.replace("\n", "\r\n", 3) + "\n", "utf-8"),
    "byte-order-mark": (SMALL, "utf-8-sig"),
    "coding-line": (f"# -*- coding: latin-1 -*-\n{SMALL}\n", "latin-1"),
    "form-feed": (SMALL.replace("\ndy", "\n\x0c\ndy"), "utf-8"),
    "tabs": (SMALL.replace("dw =", "if True:\n\tdw ="), "utf-8"),
}


@pytest.mark.parametrize("form", SCRIPTS)
def test_a_script_stays_as_it_is_but_for_the_line(tmp_path, form):
    text, encoding = SCRIPTS[form]
    path = tmp_path / "mine.py"
    path.write_bytes(text.encode(encoding))
    assert mend(check(path), path)[0] == 1
    assert path.read_bytes() == text.replace(WRONG, RIGHT).encode(encoding)


@pytest.mark.parametrize(
    ("start", "after"),
    [(2, "a = 1\r\nb += 3\r\nb = 2"), (3, "a = 1\r\nb = 2\r\nb += 3")],
    ids=["between", "at the end"],
)
def test_a_line_that_is_added_ends_as_the_others(start, after):
    added = Diagnosis("missing-path", fix="b += 3", start=start, end=start - 1)
    assert mended("a = 1\r\nb = 2", [added]) == after


def cells(*sources: object) -> dict:
    rows = [{"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": s} for s in sources]
    text = {"cell_type": "markdown", "metadata": {}, "source": "dw = 3 \u20ac"}
    return {"cells": [text, *rows], "metadata": {"tolerance": 0.5}, "nbformat": 4, "nbformat_minor": 5}


FIRST, SECOND = SMALL.split("note = ")
LISTED = cells(FIRST.splitlines(keepends=True), f"note = {SECOND}".splitlines(keepends=True))
STRINGS = cells(FIRST, f"note = {SECOND}")
NOTEBOOKS = {
    "jupyter": json.dumps(LISTED, indent=1, ensure_ascii=False) + "\n",
    "four-spaces": json.dumps(LISTED, indent=4, ensure_ascii=False),
    "tabs": json.dumps(LISTED, indent="\t", ensure_ascii=False),
    "compact": json.dumps(LISTED, separators=(",", ":")),
    "escaped": json.dumps(LISTED, indent=1),
    "numbers": json.dumps(LISTED, indent=1).replace("0.5", "5.000e-1"),
    "windows": json.dumps(LISTED, indent=1).replace("\n", "\r\n"),
    "byte-order-mark": "\ufeff" + json.dumps(LISTED, indent=1),
    "strings": json.dumps(STRINGS, indent=1),
    "windows-in-strings": json.dumps(STRINGS, indent=1).replace(r"\n", r"\r\n"),
    "sorted": json.dumps(LISTED, indent=2, sort_keys=True),
    "one-line-in-a-list": json.dumps(cells([FIRST, f"note = {SECOND[: -len(WRONG)]}"], [WRONG]), indent=1),
}


@pytest.mark.parametrize("form", NOTEBOOKS)
def test_a_notebook_stays_as_it_is_but_for_the_line(tmp_path, form):
    text = NOTEBOOKS[form]
    path = tmp_path / "mine.ipynb"
    path.write_bytes(text.encode())
    assert mend(check(path), path)[0] == 1
    assert path.read_bytes() == text.replace(WRONG, RIGHT).encode()


def test_a_timed_line_stays_timed(tmp_path):
    path = tmp_path / "mine.ipynb"
    path.write_text(json.dumps(cells(SMALL.replace(WRONG, f"%time {WRONG}  # slow"))))
    mend(check(path), path)
    assert f"%time {RIGHT}  # slow" in path.read_text()
