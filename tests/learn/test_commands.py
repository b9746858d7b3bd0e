"""`handgrad learn` without a terminal: it prints once and ends."""

import os
import re
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from handgrad.learn.notebook import notebook, write_notebooks

from .conftest import COMMAND

USED_TWICE = "ch01_scalars/02_used_twice"
PAGE = (Path(__file__).parents[2] / "docs" / "learn.md").read_text()


@pytest.fixture
def handgrad(tmp_path):
    def run(*words: str, code: int = 0, columns: int = 80) -> str:
        done = subprocess.run(
            [*COMMAND, *words], cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL,
            env={**os.environ, "COLUMNS": str(columns), "TERM": "dumb"},
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return "\n".join(line.rstrip() for line in (done.stdout + done.stderr).splitlines())

    return run


def test_from_nothing(handgrad, tmp_path):
    assert "Add --yes" in handgrad(code=2)
    assert not (tmp_path / "backprop").exists()
    assert "'handgrad learn' sets it up" in handgrad("status", code=2)
    shown = handgrad("--yes", code=1)
    assert "0 of 49 solved" in shown
    assert "backprop/ch01_scalars/01_chain.py" in shown
    assert "Not written yet. Write dy, da, db, dc below" in shown
    assert "\x1b" not in shown


@pytest.mark.slow
def test_one_exercise_by_commands(handgrad, workspace, course):
    path = workspace.path(course.by_name[USED_TWICE])
    text = path.read_text()
    path.write_text(text.replace("db = None", "db = a * dc").replace("da = None", "da = b * dc"))
    shown = handgrad("run", "used_twice", code=1)
    assert "line 27: da = b * dc" in shown
    assert "a path is missing" not in shown
    assert shown.strip() in PAGE
    for hint in ("Count how many lines", "a sum with one term", "and da begins with", "and da begins with"):
        assert hint in handgrad("hint", "used_twice")
    shown = handgrad("run", "used_twice", code=1)
    assert "a path is missing" in shown
    assert "It should be" in shown
    assert "Add --yes" in handgrad("solution", "used_twice", code=2)
    assert "da = b * dc + 2 * a * db" in handgrad("solution", "used_twice", "--yes")
    assert "Add --yes" in handgrad("derivation", "used_twice", code=2)
    assert "= bᵢ · dcᵢ + 2 aᵢ · dbᵢ" in handgrad("derivation", "used_twice", "--yes")
    path.write_text(path.read_text().replace("da = b * dc", "da = b * dc + 2 * a * db"))
    solved = handgrad("run", "used_twice").partition("\n\n")[2]
    assert "Solved." in solved
    assert solved.strip() in PAGE
    assert "1 of 49 solved" in handgrad("status")
    assert f"* {USED_TWICE}" in handgrad("list")
    handgrad("solution", "used_twice")
    handgrad("reset", "used_twice")
    assert path.read_text() == text
    assert "0 of 49 solved" in handgrad("status")


@pytest.mark.usefixtures("workspace")
def test_mistakes_of_typing(handgrad):
    assert "no such command: 'chekc'" in handgrad("chekc", code=2)
    assert "Did you mean" in handgrad("run", "02_usd_twice", code=2)
    assert "exercises have this in their names" in handgrad("run", "softmax", code=2)


@pytest.mark.slow
@pytest.mark.usefixtures("solved")
def test_sixty_columns_are_enough(handgrad):
    for line in handgrad("run", "01_output", columns=60).splitlines():
        assert len(line.rstrip()) <= 60


@pytest.mark.slow
def test_check_all_of_the_solutions(handgrad, solved, course):
    shown = handgrad("check-all")
    assert shown.count("Solved.") == len(course.exercises)
    assert "49 of 49 solved" in shown
    assert solved.progress().solved == set(course.by_name)


def test_notebooks_are_written_once(handgrad, workspace, course):
    paths = handgrad("--notebook").split()
    assert len(paths) == len(course.chapters)
    first = workspace.folder / "ch01_scalars.ipynb"
    nbformat.validate(nbformat.read(first, 4))
    first.write_text("mine")
    write_notebooks(course, workspace.folder)
    assert first.read_text() == "mine"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_chapter_as_a_notebook(workspace, course, capfd):
    wrong = course.find("02_used_twice")
    chapter = [(e, e.solution) for e in course.exercises if e.chapter == "ch01_scalars"]
    book = notebook("Scalars", [(wrong, wrong.solution.replace(" + 2 * a * db", "")), *chapter])
    book.cells[4:4] = [
        nbformat.v4.new_code_cell(source)
        for source in ("%hint", "%solution", "%solution anyway", "%derivation anyway", "print(db.shape)")
    ]
    NotebookClient(book, timeout=120, resources={"metadata": {"path": str(workspace.folder)}}).execute()
    shown = ["".join(map(plain, cell.outputs)) for cell in book.cells if cell.cell_type == "code"]
    assert "line 28: da = b * dc" in shown[1]
    assert "Hint 1" in shown[2]
    assert "is not solved yet" in shown[3]
    assert "2 * a * db" in shown[4]
    assert "= bᵢ · dcᵢ + 2 aᵢ · dbᵢ" in shown[5]
    assert "torch.Size([5])" in shown[6]
    assert all("Solved." in text for text in shown[7:])
    assert workspace.progress().solved == {exercise.name for exercise, _ in chapter}
    capfd.readouterr()


def plain(output) -> str:
    text = output.get("text") or output.get("data", {}).get("text/plain", "")
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
