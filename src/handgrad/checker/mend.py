"""Write the corrected lines into the user's file, and keep the old one beside it."""

import json
import shutil
import textwrap
from collections.abc import Iterable
from pathlib import Path

from handgrad.checker.report import Diagnosis, Report


def mend(report: Report, path: Path) -> tuple[int, Path]:
    """Put every fix of the report into the file.

    Args:
        report: of this file as it stands.
        path: the script or notebook.

    Returns:
        How many places were changed, and the copy of the old file: the first free of `NAME.bak`, `NAME.bak1`, …
    """
    fixes = report.repairs
    backup = _free_name(path)
    if not fixes:
        return 0, backup
    shutil.copy2(path, backup)
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        notebook = json.loads(text)
        cells = [c for c in notebook["cells"] if c["cell_type"] == "code"]
        for number, cell in enumerate(cells, start=1):
            inside = [d for d in fixes if d.place is not None and d.place.cell == number]
            if inside:
                cell["source"] = mended(_joined(cell["source"]), inside).splitlines(keepends=True)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    else:
        path.write_text(mended(text, fixes), encoding="utf-8")
    return len(fixes), backup


def mended(text: str, fixes: Iterable[Diagnosis]) -> str:
    """The text with each fix in the place of its lines, the last first so that line numbers hold.

    >>> mended("a = 1\\nb = 2\\n", [Diagnosis("sign", "", "b = -2", None, 2, 2)])
    'a = 1\\nb = -2\\n'
    """
    lines = text.split("\n")
    for fix in sorted(fixes, key=lambda d: (d.start, d.end), reverse=True):
        added_after = fix.place.line if fix.place else fix.end
        model = lines[fix.start - 1] if fix.end >= fix.start else lines[min(added_after, len(lines)) - 1]
        indent = model[: len(model) - len(model.lstrip())]
        before, after = fix.around
        new = textwrap.indent(before + textwrap.dedent(fix.fix or "pass") + after, indent).split("\n")
        lines[fix.start - 1 : max(fix.end, fix.start - 1)] = new
    return "\n".join(lines)


def _joined(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _free_name(path: Path) -> Path:
    for number in range(1000):
        candidate = path.with_name(f"{path.name}.bak{number or ''}")
        if not candidate.exists():
            return candidate
    return path.with_name(f"{path.name}.bak")
