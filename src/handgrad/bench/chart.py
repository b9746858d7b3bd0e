"""The picture of what was measured: a panel of bars for each shape."""

import io
from typing import TYPE_CHECKING, Any

from handgrad.bench.report import ENGINE, microseconds, row_of, times

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ENGINE_COLOUR, RIVAL_COLOUR, FLOOR_COLOUR = "#0072b2", "#b9c0c8", "#d55e00"
ROOM_FOR_LABELS = 1.38
LONGEST = 1_000
"""Where a bar is longer, lengths are logarithms, so that the others can be seen."""


def bar_chart(result: dict[str, Any]) -> bytes:
    """A PNG: for each shape how many times as long as the engine each rival takes, and the quartiles.

    Args:
        result: what `handgrad bench --json` prints.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shapes = result["shapes"]
    mosaic = _places(len(shapes))
    heights = [0.7 + 0.27 * max(len(shapes[number]["rows"]) for number in panels) for panels in mosaic]
    figure = Figure(figsize=(3.2 + 4.4 * len(mosaic[0]), 0.5 + sum(heights)), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    for number, axes in figure.subplot_mosaic(mosaic, gridspec_kw={"height_ratios": heights}).items():
        _panel(axes, shapes[number])
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower right", fontsize=8, frameon=False)
    threads = result["method"]["threads"]
    others = f" (the others on {threads} threads)" if threads > 1 else ""
    figure.suptitle(f"Time of a training step, in times the engine's{others}", fontsize=11)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _places(n: int) -> list[list[Any]]:
    """The first of an odd number over the whole width, the others in two columns, downwards."""
    first, half = n % 2, n // 2
    width = 2 if half else 1
    return [[0] * width] * first + [[first + i, first + half + i] for i in range(half)]


def _panel(axes: "Axes", shape: dict[str, Any]) -> None:
    rows = shape["rows"]
    for place, row in enumerate(rows):
        ratio, us, own = row["times_engine"], row["us"]["median"], row["name"] == ENGINE
        middle, q1, q3 = ratio["median"], ratio["q1"], ratio["q3"]
        axes.barh(place, middle, 0.72, color=ENGINE_COLOUR if own else RIVAL_COLOUR)
        axes.errorbar(middle, place, xerr=[[middle - q1], [q3 - middle]], color="#222222", linewidth=1.2)
        figures = f"{microseconds(us)} µs" if own else f"{times(middle)} ×   {microseconds(us)} µs"
        axes.annotate(figures, (q3, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8.5)
    floor = 1 / row_of(shape, ENGINE)["times_floor"]["median"]
    axes.axvline(floor, color=FLOOR_COLOUR, linewidth=1.2, linestyle="--", label="arithmetic floor")
    axes.set_title(shape["title"], loc="left", fontsize=10, fontweight="bold", parse_math=False)
    greatest = max(row["times_engine"]["q3"] for row in rows)
    if greatest > LONGEST:
        axes.set_xscale("log")
        axes.set_xlim(floor / 2, greatest * (2 * greatest / floor) ** (ROOM_FOR_LABELS - 1))
    else:
        axes.set_xlim(0, greatest * ROOM_FOR_LABELS)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize=9, parse_math=False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
