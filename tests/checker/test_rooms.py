"""The rooms of the checker: what reads, runs, finds true, judges and explains knows nothing of what comes after it."""

import ast
from pathlib import Path

import pytest

import handgrad.checker

ROOMS = ("read", "run", "truth", "judge", "explain", "faces")
"""The stages, in the order in which a program goes through them."""
ROOT = Path(handgrad.checker.__file__).parent
FILES = {
    f"{room}/{path.relative_to(ROOT / room)}": (room, path) for room in ROOMS for path in (ROOT / room).rglob("*.py")
}


def rooms_imported(text: str) -> set[str]:
    """The rooms of the modules that a text imports."""
    modules = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            modules += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
    return {m.split(".")[2] for m in modules if m.startswith("handgrad.checker.")} & {*ROOMS, "inspection"}


@pytest.mark.parametrize(("room", "path"), FILES.values(), ids=FILES)
def test_a_room_knows_none_that_comes_after_it(room, path):
    later = {*ROOMS[ROOMS.index(room) + 1 :], *(["inspection"] if room != "faces" else [])}
    assert not rooms_imported(path.read_text()) & later


def test_an_import_of_a_later_room_would_be_seen():
    text = "def f():\n    from handgrad.checker.explain import rows\n"
    assert rooms_imported(text) == {"explain"}
