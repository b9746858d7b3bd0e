"""`handgrad data`."""

import json

import pytest

from handgrad.cli import main
from handgrad.data import CATALOGUE


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HANDGRAD_DATA", str(tmp_path / "cache"))


def output(capsys, *words: str) -> str:
    assert main(["data", *words]) == 0
    return capsys.readouterr().out


def test_list_says_what_is_here(capsys, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "names.txt").touch()
    states = {
        line.split()[0]: line.rstrip().rpartition("  ")[2]
        for line in output(capsys, "list").splitlines()
        if line[0] != " "
    }
    assert states | {"name": "state"} == states
    assert (states["ssa_names_2018"], states["names"], states["english_words"]) == ("built in", "fetched", "to fetch")


def test_list_for_a_program(capsys, tmp_path):
    entries = json.loads(output(capsys, "list", "--json"))
    assert [entry["name"] for entry in entries] == list(CATALOGUE)
    assert entries[1]["path"] == str(tmp_path / "cache" / "names.txt")


def test_fetch_prints_the_path(capsys):
    assert output(capsys, "fetch", "ssa_names_2018").strip() == str(CATALOGUE["ssa_names_2018"].path())


def test_show_describes_a_file(capsys, tmp_path):
    path = tmp_path / "towns.txt"
    path.write_text("Åre\nÉvian les Bains\nUlm\n\nUlm\n", encoding="utf-8")
    shown = output(capsys, "show", str(path), "-n", "2")
    facts = dict(line.split(maxsplit=1) for line in shown.partition("\n\n")[0].splitlines()[:-1])
    assert facts["source"] == str(path)
    assert (facts["lines"], facts["duplicates"], facts["longest"], facts["letters"]) == ("4", "1", "15", "14")
    assert "BUaeilmnrsvÅÉ, U+0020" in shown
    assert shown.endswith("\n\nÅre\nUlm\n")
    assert "licence" not in facts


def test_show_for_a_program(capsys):
    shown = json.loads(output(capsys, "show", "--json", "-n", "3"))
    assert shown["licence"] == "public domain"
    assert shown["alphabet"] == "abcdefghijklmnopqrstuvwxyz"
    assert (shown["samples"][0], len(shown["samples"]), shown["lines"]) == ("emma", 3, 32_257)


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["show", "nope.txt"], "nope.txt: there is no such file"),
        (["show", "names"], "names: this corpus has not been fetched yet"),
        (["fetch", "nmaes"], "Did you mean names?"),
    ],
    ids=" ".join,
)
def test_mistakes_exit_with_2_and_one_line(capsys, words, fragment):
    assert main(["data", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert fragment in captured.err
    assert captured.err.count("\n") == 1
