"""A judge for all tests, and a course folder for each."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from handgrad.learn.course import FOLDER, Course
from handgrad.learn.judge import Judge
from handgrad.learn.workspace import Workspace

COMMAND = [
    sys.executable,
    "-c",
    "import sys; from handgrad.cli import COMMANDS, main; COMMANDS.setdefault('learn', '');"
    "sys.exit(main(['learn', *sys.argv[1:]]))",
]


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    with Judge() as judge:
        yield judge


@pytest.fixture(scope="session")
def course() -> Course:
    return Course.load()


@pytest.fixture
def workspace(tmp_path: Path, course: Course) -> Workspace:
    return Workspace.create(tmp_path / "backprop", course)


@pytest.fixture
def solved(workspace: Workspace) -> Workspace:
    """A course folder with every solution in its place."""
    shutil.copytree(FOLDER / "solutions", workspace.folder, dirs_exist_ok=True)
    return workspace
