"""Files as the page edits them."""

import json

import pytest

from handgrad.studio.documents import DocumentError, read_document, save_document


def test_a_script_keeps_its_ends_of_lines_and_the_old_one_is_kept(tmp_path):
    file = tmp_path / "a.py"
    file.write_bytes("# é\r\nx = 1\r\n".encode())
    document = read_document(file)
    assert document.parts == {None: "# é\nx = 1\n"}
    assert save_document(document, {None: "# é\nx = 2\n"}) == "a.py.bak"
    assert file.read_bytes() == "# é\r\nx = 2\r\n".encode()
    assert file.with_name("a.py.bak").read_bytes() == "# é\r\nx = 1\r\n".encode()


def test_of_a_notebook_only_the_changed_cell_is_written_anew(tmp_path):
    file = tmp_path / "a.ipynb"
    cells = [{"cell_type": "code", "source": ["x = 1\n", "y = 2"]}, {"cell_type": "markdown", "source": "text"}]
    file.write_text(json.dumps({"cells": [*cells, {"cell_type": "code", "source": "z = 3"}], "metadata": {"a": 1}}))
    before = file.read_text()
    document = read_document(file)
    assert document.parts == {1: "x = 1\ny = 2", 2: "z = 3"}
    save_document(document, {1: "x = 1\ny = 2", 2: "z = 4"})
    assert file.read_text() == before.replace("z = 3", "z = 4")


def test_what_somebody_else_wrote_meanwhile_is_not_overwritten(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("x = 1")
    document = read_document(file)
    file.write_text("x = 7")
    with pytest.raises(DocumentError, match="changed elsewhere"):
        save_document(document, {None: "x = 2"})
    assert file.read_text() == "x = 7"
    with pytest.raises(DocumentError, match="no such cell"):
        save_document(read_document(file), {3: "x = 2"})


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("a.ipynb", b"{}", "not a Jupyter notebook"), ("a.py", b"# coding: klingon\n", "cannot be read")],
    ids=["notebook", "encoding"],
)
def test_what_cannot_be_read_is_said(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DocumentError, match=said):
        read_document(tmp_path / name)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(DocumentError, match="No such file"):
        read_document(tmp_path / "a.py")
