"""What `handgrad bench --json` prints, and `--from` reads: one schema. No NumPy, as in `shapes`."""

from pathlib import Path
from typing import Annotated, Any, TypedDict

from msgspec import Meta

from handgrad.bench.report import ENGINE
from handgrad.bench.shapes import Shape
from handgrad.errors import ConfigError
from handgrad.json_files import conform, read_json

Figure = Annotated[float, Meta(ge=1e-9, le=1e12)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Word = Annotated[str, Meta(min_length=1, max_length=200)]


class Quartiles(TypedDict):
    """Of a figure over the rounds."""

    median: Figure
    q1: Figure
    q3: Figure


class Row(TypedDict):
    """A rival: microseconds a step, and how many times as long as the engine and the floor take."""

    name: Word
    us: Quartiles
    times_engine: Quartiles
    times_floor: Quartiles


class Measured(TypedDict):
    """The sizes, the floor in microseconds, the rivals, and why others were not measured."""

    shape: Shape
    title: Word
    rounds: Count
    floor_us: Quartiles
    rows: Annotated[list[Row], Meta(min_length=1, max_length=100)]
    not_measured: dict[Word, str]


class Method(TypedDict):
    """How it was measured."""

    rounds: Count
    threads: Count
    clock: Word


class Result(TypedDict):
    """All of it."""

    machine: dict[Word, str | int]
    method: Method
    shapes: Annotated[list[Measured], Meta(min_length=1, max_length=200)]


def read_result(path: Path) -> dict[str, Any]:
    """What an earlier `handgrad bench --json` printed, as it is.

    Raises:
        ConfigError: the file holds something else, naming what and where.
        OSError: it cannot be read.
    """
    try:
        result = read_json(path, dict[str, Any])
        conform(result, Result)
        for number, measured in enumerate(result["shapes"]):
            _require_sense(f"shapes[{number}]", measured)
    except (ValueError, ConfigError) as error:
        what = "this is not what 'handgrad bench --json' prints"
        raise ConfigError(what, got=str(error).rstrip("."), where=path) from None
    return result


def _require_sense(where: str, measured: dict[str, Any]) -> None:
    """Raise ValueError unless the engine is there, each rival once, and quartiles rise."""
    names = [row["name"] for row in measured["rows"]]
    if ENGINE not in names or len({*names}) < len(names):
        raise ValueError(f"{where}.rows: Expected `{ENGINE}` and each other name once, got {names}")
    rows = [(f"{where}.rows[{number}]", row, key) for number, row in enumerate(measured["rows"]) for key in row]
    figures = [(place, row[key], key) for place, row, key in rows if isinstance(row[key], dict)]
    for place, figure, key in [*figures, (where, measured["floor_us"], "floor_us")]:
        if not figure["q1"] <= figure["median"] <= figure["q3"]:
            raise ValueError(f"{place}.{key}: Expected `q1` <= `median` <= `q3`, got {figure}")
