"""The page as a widget of a notebook: the same component, without a server."""

import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from handgrad.errors import HandgradError
from handgrad.studio.documents import read_document
from handgrad.studio.page import ASSETS
from handgrad.studio.programs import Program, in_a_process
from handgrad.studio.views.backward import judged_state
from handgrad.studio.views.derivation import derived
from handgrad.studio.views.training import LOOK_AGAIN_S, TrainingView

Answer = Callable[[dict[str, Any]], Any]


class Studio(anywidget.AnyWidget):
    """Shows states, by the topics of their events, and hands the page's questions to who can answer them."""

    _esm = ASSETS / "studio.js"
    _css = ASSETS / "studio.css"
    states = traitlets.Dict().tag(sync=True)

    def __init__(self, states: Mapping[str, Any], answers: Mapping[str, Answer]):
        """Give the states, and for each view what answers a question."""
        super().__init__(states=dict(states))
        self.answers = dict(answers)
        self.on_msg(self._asked)

    def _asked(self, _: Any, content: dict[str, Any], _buffers: Any) -> None:
        """Answer a question of the page, by its number."""
        told: dict[str, Any] = {"id": content.get("id")}
        try:
            told["answer"] = self.answers[content["view"]](content["question"])
        except HandgradError as error:
            told["error"] = str(error)
        except KeyError:
            told["error"] = "there is nobody here to ask"
        self.send(told)


def of_runs(runs: Sequence[Path]) -> Studio:
    """A widget about runs, which are looked at in the background as long as it is there; see `handgrad.studio`."""
    view = TrainingView(runs)
    view.look()
    shown = Studio({view.name: view.state}, {view.name: view.answer})

    def watch(widget: "weakref.ref[Studio]") -> None:
        while (there := widget()) is not None and there.comm is not None:
            if view.look():
                there.states = {view.name: view.state}
            del there
            time.sleep(LOOK_AGAIN_S)
        view.close()

    threading.Thread(target=watch, args=(weakref.ref(shown),), daemon=True).start()
    return shown


def of_file(
    path: Path, *, hint: int = 2, loss: str | None = None, data: Path | None = None, timeout: float = 60.0
) -> Studio:
    """A widget about a script or notebook, which runs in a process of its own; see `handgrad.studio`.

    Raises:
        HandgradError: the file cannot be judged.
    """
    options = {"loss": loss, "data": data, "timeout": timeout}
    document, program = read_document(path), Program(path, **options)
    judged = program.judged()
    states: dict[str, Any] = {"backward": judged_state(document.to_json(), judged, hint)}
    try:
        states["derivation"] = in_a_process(derived, path, options)
    except HandgradError as error:
        states["derivation"] = {"error": str(error)}
    return Studio(states, {"backward": program.ask})
