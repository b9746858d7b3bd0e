"""`--write` puts lines below the forward pass and changes no other byte, in every form that a file can have."""

import json

import pytest

from handgrad.checker.read.source import read_source
from handgrad.errors import DeriveError
from handgrad.forward.writing import write_below

LINES = "da = 2 * a  # loss\ndb = da"
ADDED = "\nda = 2 * a  # loss\ndb = da\n"
SMALL = "a = 1\nloss = a**2  # é\nprint(loss)\n"
WRITTEN = f"a = 1\nloss = a**2  # é\n{ADDED}\nprint(loss)\n"
SCRIPTS = {
    "plain": (SMALL, WRITTEN, "utf-8"),
    "windows": (SMALL.replace("\n", "\r\n"), WRITTEN.replace("\n", "\r\n"), "utf-8"),
    "old-mac": (SMALL.replace("\n", "\r"), WRITTEN.replace("\n", "\r"), "utf-8"),
    "byte-order-mark": (SMALL, WRITTEN, "utf-8-sig"),
    "coding-line": (f"# coding: latin-1\n{SMALL}", f"# coding: latin-1\n{WRITTEN}", "latin-1"),
    "an empty line below": (
        SMALL.replace("print", "\nprint"), f"a = 1\nloss = a**2  # é\n{ADDED}\nprint(loss)\n", "utf-8"
    ),
    "at the end": ("a = 1\nloss = a**2\n", f"a = 1\nloss = a**2\n{ADDED}", "utf-8"),
    "at the end without a newline": ("a = 1\nloss = a**2", f"a = 1\nloss = a**2\n{ADDED.rstrip()}", "utf-8"),
    "in a block": (
        "if True:\n\ta = 1\n\tloss = (a\n\t   **2)\n\tb = 2\n",
        "if True:\n\ta = 1\n\tloss = (a\n\t   **2)\n\n\tda = 2 * a  # loss\n\tdb = da\n\n\tb = 2\n",
        "utf-8",
    ),
    "beside another": ("a = 1; loss = a**2\nb = 2\n", f"a = 1; loss = a**2\n{ADDED}\nb = 2\n", "utf-8"),
}  # fmt: skip


def loss_in(source):
    """The last statement that makes the loss."""
    nodes = [statement for statement in source.statements if "loss =" in statement.text]
    found = nodes[-1]
    return next((s for s in _inside(found) if s.text.startswith("loss")), found)


def _inside(statement):
    from handgrad.checker.read.source import inner

    return inner(statement, getattr(statement.node, "body", []))


@pytest.mark.parametrize("form", SCRIPTS)
def test_a_script_stays_as_it_is_but_for_the_lines(tmp_path, form):
    before, after, encoding = SCRIPTS[form]
    path = tmp_path / "mine.py"
    path.write_bytes(before.encode(encoding))
    path.chmod(0o640)
    backup = write_below(path, loss_in(read_source(path)), LINES)
    assert path.read_bytes() == after.encode(encoding)
    assert (backup.name, backup.read_bytes()) == ("mine.py.bak", before.encode(encoding))
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.py", "mine.py.bak"]


@pytest.mark.parametrize("indent", [None, 1, 4, "\t"])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_notebook_stays_as_it_is_but_for_the_cell(tmp_path, indent, ascii_only):
    cells = [{"cell_type": "markdown", "metadata": {}, "source": "loss = 1 €"}]
    cells += [{"cell_type": "code", "metadata": {}, "outputs": [], "source": s} for s in (["b = 1\n", "c"], SMALL)]
    notebook = {"cells": cells, "metadata": {"tolerance": 0.5}, "nbformat": 4, "nbformat_minor": 5}
    path = tmp_path / "mine.ipynb"
    path.write_text(json.dumps(notebook, indent=indent, ensure_ascii=ascii_only))
    before = path.read_text()
    write_below(path, loss_in(read_source(path)), LINES)
    old, new = json.dumps(SMALL, ensure_ascii=ascii_only), json.dumps(WRITTEN, ensure_ascii=ascii_only)
    assert path.read_text() == before.replace(old, new)


def test_lines_are_not_written_twice(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SMALL)
    write_below(path, loss_in(read_source(path)), LINES)
    with pytest.raises(DeriveError, match="stand there already"):
        write_below(path, loss_in(read_source(path)), LINES)
    assert path.read_text() == WRITTEN


def test_there_is_no_place_below_a_part_of_a_line(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("a = 1\nif a: loss = a**2\n")
    with pytest.raises(DeriveError, match="line 2: there is no place"):
        write_below(path, loss_in(read_source(path)), LINES)


def test_a_file_that_cannot_be_written_stays(tmp_path, monkeypatch):
    path = tmp_path / "mine.py"
    path.write_text(SMALL)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_below(path, loss_in(read_source(path)), LINES)
    assert path.read_text() == SMALL
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.py", "mine.py.bak"]
