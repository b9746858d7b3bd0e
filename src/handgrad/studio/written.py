"""The page as a file that can be sent to somebody: all that it shows is in it."""

from collections.abc import Sequence
from pathlib import Path

from handgrad.errors import HandgradError
from handgrad.studio.documents import read_document
from handgrad.studio.page import file_page
from handgrad.studio.programs import Program, in_a_process
from handgrad.studio.views.backward import judged_state
from handgrad.studio.views.derivation import derived
from handgrad.studio.views.training import TrainingView


def written_page(path: Path, *, hint: int, loss: str | None, data: Path | None, timeout: float) -> str:
    """The page about a program, as HTML.

    Args:
        path: a script or notebook.
        hint: how much is given away unasked.
        loss: as of `handgrad check`, like what follows.
        data: a folder with files that the program reads.
        timeout: seconds that it may run.

    Raises:
        HandgradError: the program cannot be judged.
    """
    document = read_document(path)
    program = Program(path, loss=loss, data=data, timeout=timeout)
    try:
        judged = program.judged()
        answers = program.ask({"what": "everything"})
    finally:
        program.close()
    try:
        derivation = in_a_process(derived, path, {"loss": loss, "data": data, "timeout": timeout})
    except HandgradError as error:
        derivation = {"error": str(error)}
    backward = judged_state(document.to_json(), judged, hint)
    return file_page(path.name, {"backward": backward, "derivation": derivation}, {"backward": answers})


def written_runs(runs: Sequence[Path]) -> str:
    """The page about runs, as HTML, with all checkpoints that their folders hold."""
    view = TrainingView(runs)
    try:
        view.look()
        return file_page(", ".join(run.name for run in runs), {view.name: view.state}, {view.name: view.everything()})
    finally:
        view.close()
