"""The user's own modules beside a program: they can be imported, are read anew each time, and can be watched."""

import ast
import contextlib
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from handgrad.checker.read.source import Source, SourceError, read_source


@contextlib.contextmanager
def importable(folder: Path | None) -> Iterator[None]:
    """The modules in `folder` can be imported for a while, and are forgotten afterwards; nothing is written there."""
    if folder is None:
        yield
        return
    before, quiet = set(sys.modules), sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.dont_write_bytecode = quiet
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if folder in Path(_location(sys.modules[name])).parents:
                del sys.modules[name]


def _location(module: ModuleType) -> str:
    """Where a module comes from: its file, or for a package without one its folder."""
    return getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", [])), "")


def files_of(program: Path) -> set[Path]:
    """The program's file and those of the modules beside it that it imports, and that these import."""
    folder = program.absolute().parent
    found: set[Path] = set()
    queue = [program.absolute()]
    while queue:
        if (path := queue.pop()) not in found:
            found.add(path)
            queue += _imported(path, folder)
    return found


def imports(source: Source, module: str) -> bool:
    """Whether a program, or a module beside it that it imports, imports this one."""
    files = files_of(source.path) - {source.path} if source.path else set()
    texts = [*(s.text for s in source.statements), *(path.read_text(errors="ignore") for path in files)]
    return any(re.search(rf"(?m)^\s*(import|from) [^#\n]*\b{module}\b", text) for text in texts)


def _imported(path: Path, folder: Path) -> Iterator[Path]:
    """The files in `folder` that a file imports; none where it cannot be read."""
    try:
        statements = read_source(path).statements
    except SourceError:
        return
    for node in (part for statement in statements for part in ast.walk(statement.node)):
        base = folder
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            base = path.parents[node.level - 1] if node.level else folder
            names = [node.module, *(f"{node.module}.{n}" for n in names)] if node.module else names
        for name in names:
            yield from _files(base, name)


def _files(base: Path, name: str) -> Iterator[Path]:
    """The files of a dotted name below `base`: the packages on the way to it, and its own."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        place = base.joinpath(*parts[:count])
        yield from (p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file())
