"""What was measured, in words: figures with their spread, a Markdown table, and the sentence to take home."""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import convert

from handgrad.bench.shapes import LECTURE, Shape

ENGINE, AUTOGRAD = "engine", "PyTorch autograd"
LECTURE_STEPS = 200_000


def microseconds(us: float) -> str:
    """A time without digits that say nothing."""
    return f"{us:,.{0 if us >= 20 else 1}f}"


def times(ratio: float) -> str:
    """How many times as long."""
    return f"{ratio:,.{0 if ratio >= 1000 else 1}f}"


def spread(quartiles: dict[str, float], shown: Callable[[float], str]) -> str:
    """The median, and in brackets the quartiles.

    Example:
        >>> spread({"median": 976.9, "q1": 882.7, "q3": 1986.1}, microseconds)
        '977 (883–1,986)'
        >>> spread({"median": 2.18, "q1": 2.16, "q3": 2.27}, times)
        '2.2 (2.2–2.3)'
    """
    median, q1, q3 = (shown(quartiles[key]) for key in ("median", "q1", "q3"))
    return f"{median} ({q1}–{q3})"


def row_of(shape: dict[str, Any], name: str) -> dict[str, Any]:
    """The figures of a rival, none where it was not measured."""
    return next((row for row in shape["rows"] if row["name"] == name), {})


def markdown(result: dict[str, Any]) -> str:
    """A table with a line for each shape."""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in _cells(result))


def _cells(result: dict[str, Any]) -> Iterator[list[str]]:
    rivals = dict.fromkeys(row["name"] for shape in result["shapes"] for row in shape["rows"] if row["name"] != ENGINE)
    yield ["shape", "floor, µs", "engine, µs", "engine ÷ floor", *(f"{name} ÷ engine" for name in rivals)]
    yield ["---"] * (4 + len(rivals))
    for shape in result["shapes"]:
        engine, rows = row_of(shape, ENGINE), (row_of(shape, name) for name in rivals)
        own = [spread(us, microseconds) for us in (shape["floor_us"], engine["us"])]
        ratios = [spread(row["times_engine"], times) if row else "–" for row in rows]
        yield [shape["title"], *own, spread(engine["times_floor"], times), *ratios]


def conclusion(result: dict[str, Any]) -> list[str]:
    """How fast the engine is at the first of the shapes, in a sentence or two."""
    shape, threads = result["shapes"][0], result["method"]["threads"]
    lecture = convert(shape["shape"], Shape) == LECTURE
    us, autograd = row_of(shape, ENGINE)["us"]["median"], row_of(shape, AUTOGRAD)
    step = "a lecture's step" if lecture else f"a step of {shape['title']},"
    said = f"On this machine the engine takes {step} in {microseconds(us)} µs"
    if autograd:
        said += f": {times(autograd['times_engine']['median'])} times as fast as {AUTOGRAD}"
    if autograd and threads > 1:
        said += f" on {threads} threads"
    steps = f"The {LECTURE_STEPS:,} steps of the lecture take about {us * LECTURE_STEPS / 1e6:.0f} s."
    return [f"{said}.", *([steps] if lecture else [])]
