"""A second set, in other people's manner, written without knowledge of what the checker manages."""

from dataclasses import dataclass

from .mistakes.second import ROWS
from .schema import PROGRAMS_FOLDER, BadlyFormed, Mistake, Program, Several, Spelling
from .second_badly_formed import BADLY_FORMED
from .second_several import SEVERAL
from .spellings import second as spellings

SCRIPTS_FOLDER = PROGRAMS_FOLDER.parent / "scripts" / "second"


@dataclass(frozen=True)
class Set:
    """What `cases` names in capitals, as one value."""

    programs: tuple[Program, ...]
    mistakes: tuple[Mistake, ...]
    several: tuple[Several, ...]
    spellings: tuple[Spelling, ...]
    badly_formed: tuple[BadlyFormed, ...]


SECOND = Set(
    tuple(
        Program(f"second/{path.stem}", path.read_text()) for path in sorted((PROGRAMS_FOLDER / "second").glob("*.py"))
    ),
    ROWS,
    SEVERAL,
    spellings.ROWS
    + tuple(Spelling(f"second/{path.stem}", path.read_text()) for path in sorted(SCRIPTS_FOLDER.glob("*.py"))),
    BADLY_FORMED,
)
