"""Saves of files, told one by one."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

from watchfiles import awatch

DEBOUNCE_MS = 60
STEP_MS = 20
LOOK_AGAIN_MS = 500
"""Some file systems tell nobody of changes, so the files are looked at now and then."""


async def saves(files: Callable[[], set[Path]]) -> AsyncIterator[None]:
    """Once for each time that one of the files, which may become others in the meantime, is written or removed."""
    seen = _stamps(files())
    while True:
        folders = {path.parent for path in files() if path.parent.is_dir()}
        changes_of = awatch(
            *folders, debounce=DEBOUNCE_MS, step=STEP_MS, rust_timeout=LOOK_AGAIN_MS, yield_on_timeout=True,
            recursive=False,
        )  # fmt: skip
        async for _ in changes_of:
            now = _stamps(files())
            if now != seen:
                seen = now
                yield
            if {path.parent for path in files() if path.parent.is_dir()} != folders:
                break


def _stamps(files: set[Path]) -> dict[Path, tuple[int, int] | None]:
    found: dict[Path, tuple[int, int] | None] = {}
    for path in files:
        try:
            state = path.stat()
            found[path] = state.st_mtime_ns, state.st_size
        except OSError:
            found[path] = None
    return found
