"""What was measured of a run, `results.json`: how long it trained, and how good it is."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from handgrad.training.files import damaged, write

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
    """

    steps: int
    seconds: float
    best_step: int
    loss: dict[str, float] | None = None
    finished: str | None = None


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
        content = json.loads(path.read_text(encoding="utf-8"))
        del content["format"]
        results = Results(**content)
        if not (isinstance(results.steps, int) and isinstance(results.seconds, int | float)):
            raise TypeError("steps and seconds are no numbers")
        if results.loss is not None and not all(isinstance(loss, float) for loss in results.loss.values()):
            raise TypeError("a loss is no number")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise damaged(path, error) from None
    return results
