import json

import pytest

from handgrad.checker.read.source import SourceError, parse_code, read_source
from handgrad.checker.read.without_magics import without_magics


def notebook(*cells: str, counts: tuple[int, ...] = ()) -> str:
    counts = counts or tuple(range(1, len(cells) + 1))
    rows = [
        {"cell_type": "code", "execution_count": c, "source": s, "outputs": []}
        for s, c in zip(cells, counts, strict=True)
    ]
    return json.dumps({"cells": rows, "nbformat": 4, "nbformat_minor": 5, "metadata": {}})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"there is no such file.*\.py or \.ipynb"):
        read_source(tmp_path / "nowhere.py")


def test_another_kind_of_file_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("x = 1")
    with pytest.raises(SourceError, match=r"got \.txt, expected \.py or \.ipynb"):
        read_source(tmp_path / "notes.txt")


def test_a_notebook_that_is_none_is_refused(tmp_path):
    (tmp_path / "a.ipynb").write_text("{}")
    with pytest.raises(SourceError, match="not a Jupyter notebook"):
        read_source(tmp_path / "a.ipynb")


def test_statements_know_their_cell_and_line(tmp_path):
    (tmp_path / "a.ipynb").write_text(notebook("!wget x\na = 1", "%matplotlib inline\n\nb = 2\nc = 3"))
    source = read_source(tmp_path / "a.ipynb")
    assert [(str(s.place), s.text) for s in source.statements] == [
        ("cell 1, line 2", "a = 1"),
        ("cell 2, line 3", "b = 2"),
        ("cell 2, line 4", "c = 3"),
    ]


def test_another_order_of_execution_is_noted(tmp_path):
    (tmp_path / "a.ipynb").write_text(notebook("a = 1", "b = 2", counts=(5, 2)))
    assert "another order" in read_source(tmp_path / "a.ipynb").notes[0]


def test_a_shell_line_in_a_block_leaves_the_block_whole():
    assert without_magics("if True:\n    !ls\n    x = 1") == "if True:\n    pass\n    x = 1"


def test_a_cell_in_another_language_is_left_out():
    assert without_magics("%%bash\nls\npwd").strip() == ""
    assert "x = 1" in without_magics("%%time\nx = 1")


def test_a_line_that_is_not_python_is_named_and_the_rest_is_kept():
    source = parse_code("a = 1\nb = (\nc = 3\n")
    assert [f.place.line for f in source.faults] == [2]
    assert [s.text for s in source.statements if "=" in s.text] == ["a = 1", "c = 3"]


@pytest.mark.parametrize("line", ["ls", "ls -la", "pwd", "cd data", "pip install torch", "cp a.txt b.txt"])
def test_a_cell_may_leave_the_percent_sign_out(line):
    source = parse_code(f"{line}\na = 1", cell=1)
    assert ([s.text for s in source.statements], source.faults) == (["a = 1"], [])


def test_a_coding_line_counts(tmp_path):
    (tmp_path / "a.py").write_bytes("# -*- coding: latin-1 -*-\ncafé = 1\n".encode("latin-1"))
    assert [s.text for s in read_source(tmp_path / "a.py").statements] == ["café = 1"]
    (tmp_path / "a.py").write_text("# -*- coding: klingon -*-\na = 1\n")
    with pytest.raises(SourceError, match="unknown encoding: klingon"):
        read_source(tmp_path / "a.py")


def test_a_modulo_at_the_start_of_a_line_is_no_magic():
    assert len(parse_code("x = (7\n% 4)\n").statements) == 1
