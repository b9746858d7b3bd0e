"""What was measured of a run, `results.json`: how long it trained, and how good it is."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from handgrad.json_files import read_json
from handgrad.training.files import damaged, write
from handgrad.training.processes import Used

FORMAT = 1


@dataclass(frozen=True)
class Results:
    """What was measured of a run.

    Args:
        steps: taken so far.
        seconds: that they took, the losses measured meanwhile included.
        best_step: after which step the model is that of the run.
        loss: of each split, in nats a character; None before the end.
        finished: when it came to its end, in ISO 8601; None before.
        together: what it cost that several processes took the steps, those since the run was last begun or gone on
            with; None where one did.
    """

    steps: Annotated[int, Meta(ge=0)]
    seconds: Annotated[float, Meta(ge=0, le=1e12)]
    best_step: Annotated[int, Meta(ge=0)]
    loss: dict[str, Annotated[float, Meta(ge=0, le=1e12)]] | None = None
    finished: str | None = None
    together: Used | None = None


def now() -> str:
    """The time, in ISO 8601, with the zone."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def write_results(folder: Path, results: Results) -> None:
    """Write `results.json`."""
    write(folder, "results.json", to_json(results))


def to_json(results: Results) -> bytes:
    """What `results.json` holds."""
    return (json.dumps({"format": FORMAT, **asdict(results)}, indent=2) + "\n").encode()


def read_results(folder: Path) -> Results | None:
    """What `results.json` holds; None where there is none, as in a run of before there were any.

    Raises:
        RunError: the file is damaged.
    """
    path = folder / "results.json"
    if not path.is_file():
        return None
    try:
        return read_json(path, Results)
    except (ValueError, OSError) as error:
        raise damaged(path, error) from None
