"""Right programs in other words: base programs with some lines said otherwise, and scripts of their own."""

from ..schema import PROGRAMS_FOLDER, Spelling
from . import chunked, others

SCRIPTS_FOLDER = PROGRAMS_FOLDER.parent / "scripts"

NOT_GRADIENTS = {"dev_split": ("dlogits",)}

SCRIPTS = tuple(
    Spelling(path.stem, path.read_text(), NOT_GRADIENTS.get(path.stem, ()))
    for path in sorted(SCRIPTS_FOLDER.glob("*.py"))
)

SPELLINGS = chunked.ROWS + others.ROWS + SCRIPTS
