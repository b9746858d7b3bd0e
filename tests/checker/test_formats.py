"""`--format`: what editors, GitHub and code scanning read, and JSON where nothing can be checked."""

import io
import json
import re

import pytest
from rich.console import Console

from handgrad.checker import Report, WrongGradientError
from handgrad.checker.render import FORMATS, MESSAGES, html
from handgrad.cli import check as command

PROGRAM = """\
import torch

x, w = torch.randn(5, 3), torch.randn(3, 2)
b = torch.randn(2)
y = x @ w + b
loss = (y**2).sum()
dy = {}
dw = x.T @ dy
db = dy{}
"""
WRONG = PROGRAM.format("y", "")


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """The exit code of `handgrad check`, and what it prints, for a program in the folder that one is in."""
    monkeypatch.chdir(tmp_path)

    def run(text: str, *words: str, name: str = "mine.py") -> tuple[int | None, str]:
        (tmp_path / name).write_text(text)
        code = command.main([name, *words])
        return code, capsys.readouterr().out

    return run


def test_a_line_for_each_mistake(said):
    code, out = said(WRONG, "--format", "short")
    assert code == 1
    assert out.splitlines() == [
        "mine.py:7: scale: it is off by a constant factor: uses `y`; it should be `2 * y`.",
        f"mine.py:9: missing-sum: {MESSAGES['missing-sum']}: uses `dy`; it should be `dy.sum(0)`.",
    ]
    assert said(PROGRAM.format("2 * y", ".sum(0)"), "--format", "short") == (0, "")


def test_what_a_hint_keeps_back_no_format_tells(said):
    _, out = said(WRONG, "--format=short", "--hint", "2")
    assert out.splitlines()[0] == "mine.py:7: scale: it is off by a constant factor."
    _, out = said(WRONG, "--format=short", "--hint", "1")
    assert out.splitlines()[0] == "mine.py:7: wrong: look at dy again."
    assert "2 * y" not in said(WRONG, "--hint", "2")[1]


def test_annotations_of_github(said):
    _, out = said(WRONG.replace("dy = y", "dy = y * 100 / 100"), "--format", "github")
    first = out.splitlines()[0]
    assert first.startswith("::error file=mine.py,title=handgrad%3A ")
    assert ",line=7::" in first
    warned = said(PROGRAM.format("2 * y", ".sum(0, keepdim=True)"), "--format", "github")
    assert warned[0] == 0
    assert warned[1].startswith("::warning file=mine.py,title=handgrad%3A shape,line=9::")


def test_a_cell_is_named(said):
    cells = [WRONG[: WRONG.index("dy =")], WRONG[WRONG.index("dy =") :]]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": source, "execution_count": number}
        for source, number in zip(cells, (3, 8), strict=True)
    ]}  # fmt: skip
    _, out = said(json.dumps(notebook), "--format", "short", name="mine.ipynb")
    assert out.startswith("mine.ipynb:cell 8:1: scale: ")
    _, out = said(json.dumps(notebook), "--json", name="mine.ipynb")
    assert {(row["cell"], row["line"]) for row in json.loads(out)["variables"] if row["line"]} == {
        (8, 1),
        (8, 2),
        (8, 3),
    }
    _, out = said(json.dumps(notebook), name="mine.ipynb")
    assert out.splitlines()[0].split()[:2] == ["variable", "cell"]


def test_sarif(said):
    _, out = said(WRONG, "--format", "sarif")
    log = json.loads(out)
    (run,) = log["runs"]
    assert (log["version"], run["tool"]["driver"]["name"]) == ("2.1.0", "handgrad")
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["missing-sum", "scale"]
    assert run["invocations"][0]["executionSuccessful"] is True
    results = [(one["ruleId"], one["ruleIndex"], one["level"]) for one in run["results"]]
    assert results == [("scale", 1, "error"), ("missing-sum", 0, "error")]
    (place,) = (location["physicalLocation"] for location in run["results"][0]["locations"])
    assert place == {"artifactLocation": {"uri": "mine.py"}, "region": {"startLine": 7}}


REFUSED = {
    "loss = 3\n": "loss",
    "import torch\nloss = (\n": "never closed",
    "import torch\nx = open('nowhere.txt')\nloss = (x**2).sum()\ndx = 2 * x\n": "nowhere.txt",
}


@pytest.mark.parametrize("text", REFUSED)
@pytest.mark.parametrize("words", [("--json",), ("--format=json",), ("--format", "json")])
def test_why_nothing_can_be_checked_stands_in_the_json(said, capsys, text, words):
    with pytest.raises(Exception, match=REFUSED[text]):
        said(text, *words)
    report = json.loads(capsys.readouterr().out)
    assert (report["right"], report["variables"]) == (False, [])
    assert REFUSED[text] in report["errors"][0]


@pytest.mark.parametrize("words", [("--hint", "4"), ("--frobnicate",), ("--timeout", "0")])
def test_a_mistake_in_the_words_stands_in_the_json_too(said, capsys, words):
    with pytest.raises(Exception, match=words[0]):
        said(WRONG, "--json", *words)
    assert words[0] in json.loads(capsys.readouterr().out)["errors"][0]


def test_a_failed_assertion_begins_with_the_line(check_text):
    report = check_text(WRONG)
    with pytest.raises(WrongGradientError) as raised:
        report.raise_if_wrong()
    assert re.match(r"\S*program\.py:7: dy is wrong: it is off by a constant factor: uses `y`", str(raised.value))


def test_a_report_shows_itself_as_a_table(check_text):
    report = check_text(WRONG.replace("db", "d_b").replace("b =", "b_ = b =").replace("b_ = b = dy", "b = dy"))
    assert repr(report) == str(report)
    assert str(report).startswith("variable | shape")
    page = report._repr_html_()
    assert page.count("<tr") == 1 + len(report.variables)
    console = Console(file=io.StringIO(), width=100)
    console.print(report)
    assert "variable" in console.file.getvalue()


def test_a_page_escapes_what_a_program_says(check_text):
    report = check_text(WRONG)
    report.notes.append("<script>alert('dy & db')</script>")
    report.variables[0].name = "<b>y</b>"
    assert "<script>" not in html(report)
    assert "&lt;b&gt;y&lt;/b&gt;" in html(report)


@pytest.mark.parametrize("name", FORMATS)
def test_a_report_without_a_row_has_every_format(name):
    said = FORMATS[name](Report(None, faults=["line 3: NameError: name 'x' is not defined"]))
    assert "NameError" in said or name == "short"
