"""What the processes other than process 0 do: what they are told."""

import time
from contextlib import suppress
from typing import Any

from handgrad.data.dataset import Dataset
from handgrad.data.vocabulary import Vocabulary
from handgrad.errors import HandgradError, ProcessLost
from handgrad.models.trained import TextReference
from handgrad.training.backend import stepped
from handgrad.training.config import TrainConfig
from handgrad.training.joined import Joined
from handgrad.training.processes import Start, current
from handgrad.training.state import Settings, initial_state

BEFORE_SPEAKING_S = 3.0
"""In which process 0, which knows more, may say that one is lost."""


def follow() -> int:
    """Take the steps that process 0 tells, until it lets this one go; the exit code.

    Raises:
        ProcessLost: another process has ended, and none has said so yet.
    """
    processes = current()
    assert isinstance(processes, Joined)
    with suppress(ProcessLost):
        _follow(processes)
        return 0
    processes.leave()  # so that process 0 hears of it
    time.sleep(BEFORE_SPEAKING_S)
    if processes.is_to_speak():
        raise processes.lost()
    return 1


def _follow(processes: Joined) -> None:
    run: tuple[Settings, Dataset, Start] | None = None
    while (order := processes.heard())["order"] != "end":
        if order["order"] == "run":
            settings = told(order)
            split, error = _read(settings)
            processes.agree(error or processes.device_missing(settings.config.device))
            if split:
                processes.use(settings.config.device)
                state = initial_state(settings)
                run = settings, split, Start(0, state.parameters, state.moments)
        else:
            assert run, "process 0 tells the run first"
            settings, split, start = run
            start = (start if order["known"] else processes.receive(start))._replace(step=order["first"])
            run = settings, split, Start(0, *stepped(start, settings, split, order["rates"])[:2])


def told(order: dict[str, Any]) -> Settings:
    """The run that process 0 tells of."""
    config, vocabulary = TrainConfig.saved(order["training"]), Vocabulary(order["vocabulary"])
    return Settings(config, vocabulary, TextReference(**order["text"]))


def _read(settings: Settings) -> tuple[Dataset | None, str]:
    """The lines to train on, or what keeps them from being read."""
    try:
        return settings.text.split(settings.text.read()).train, ""
    except HandgradError as error:
        return None, str(error)
    except (OSError, MemoryError) as error:
        return None, f"its text cannot be read: {error or 'not enough memory'}"
