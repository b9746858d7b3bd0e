"""The checker's cases as data: right programs, planted mistakes, other spellings, and files that cannot be checked.

`PROGRAMS`, `MISTAKES`, `SEVERAL`, `SPELLINGS` and `BADLY_FORMED` are tuples of the records in `schema`; ids are unique
within each. `SECOND` is another set of the same five. `validate` shows, without the checker, that what they say is so.
`third` holds whole programs whose mistakes are told by their lines; their proofs are run by `test_third_cases.py`.
"""

from .badly_formed import BADLY_FORMED
from .mistakes import MISTAKES
from .schema import PROGRAMS_FOLDER, BadlyFormed, CaseError, Edit, Mistake, Program, Several, Spelling
from .second import SECOND
from .several import SEVERAL
from .spellings import SPELLINGS

PROGRAMS = tuple(Program(path.stem, path.read_text()) for path in sorted(PROGRAMS_FOLDER.glob("*.py")))

__all__ = [
    "BADLY_FORMED",
    "MISTAKES",
    "PROGRAMS",
    "SECOND",
    "SEVERAL",
    "SPELLINGS",
    "BadlyFormed",
    "CaseError",
    "Edit",
    "Mistake",
    "Program",
    "Several",
    "Spelling",
]
