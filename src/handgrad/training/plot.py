"""The picture of the loss curve, `loss.png`."""

import io
import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from handgrad.training.history import HistoryRow

TRAINING, VALIDATION = "#1f6feb", "#d1570b"


def loss_curve(rows: list[HistoryRow], title: str) -> bytes:
    """A PNG of the smoothed log10 of the loss against the steps, as in the lecture, with the loss itself on the right.

    The loss of the validation split stands beside it, and its least, whose state is the model.

    Args:
        rows: windows of the history, at least one.
        title: stands above the picture.
    """
    return loss_curves([rows], title, {})


def loss_curves(runs: Sequence[list[HistoryRow]], title: str, others: Mapping[str, float]) -> bytes:
    """As `loss_curve`, of several runs in one picture.

    Args:
        runs: windows of the history of each.
        title: stands above the picture.
        others: validation losses to compare with, in nats, by name.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for number, rows in enumerate(runs):
        _draw(axes, rows, 1.5 if len(runs) == 1 else 1.0, named=not number)
    for (name, loss), style in zip(others.items(), itertools.cycle(("--", ":", "-.")), strict=False):
        axes.axhline(_to_log10(loss), color="#444444", linewidth=1, linestyle=style, label=f"{name}: {loss:.3f}")
    axes.set_title(title, parse_math=False)
    axes.set(xlabel="step", ylabel=r"log$_{10}$ of the loss (mean over a window)")
    axes.xaxis.set_major_formatter(lambda step, _: f"{step:,.0f}")
    axes.grid(alpha=0.25)
    axes.margins(x=0.01)
    axes.legend(loc="best", framealpha=0.8, edgecolor="none")
    nats = axes.secondary_yaxis("right", functions=(_to_loss, _to_log10))
    nats.set_ylabel("loss (nats a character)")
    nats.yaxis.set_major_formatter("{x:.2f}")
    nats.yaxis.set_minor_formatter("")
    return png_of(figure)


def png_of(figure: Any) -> bytes:
    """The figure as a PNG; letters that no font here has are boxes."""
    picture = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(picture, format="png")
    return picture.getvalue()


def _draw(axes: Any, rows: list[HistoryRow], width: float, named: bool) -> None:
    """The curves of a run; the first run's are named."""
    labels = ("training (minibatches)", "validation") if named else (None, None)
    axes.plot(
        [row.step for row in rows], [row.log10_loss for row in rows], color=TRAINING, linewidth=width, label=labels[0]
    )
    measured = [(row.step, row.val_loss) for row in rows if row.val_loss is not None and math.isfinite(row.val_loss)]
    if measured:
        steps, losses = [step for step, _ in measured], [_to_log10(loss) for _, loss in measured]
        axes.plot(steps, losses, color=VALIDATION, linewidth=width, marker="o", markersize=2 * width, label=labels[1])
        step, least = min(measured, key=lambda each: each[1])
        axes.plot(step, _to_log10(least), "o", color=VALIDATION, markersize=8, fillstyle="none")
        if named:
            axes.annotate(f"{least:.3f}", (step, _to_log10(least)), xytext=(0, 9), textcoords="offset points",
                          ha="right", color=VALIDATION)  # fmt: skip
    drop = next(
        (row.step for before, row in pairwise(rows) if row.lr < before.lr / 5 and before.lr == rows[0].lr), None
    )
    if drop is not None:
        axes.axvline(drop, color="#999999", linewidth=1, linestyle=":")
        axes.annotate("learning rate / 10", (drop, 1), xycoords=("data", "axes fraction"), xytext=(6, -14),
                      textcoords="offset points", color="#666666")  # fmt: skip


def _to_loss(log10: Any) -> Any:
    return 10**log10


def _to_log10(loss: Any) -> Any:
    return np.log10(np.maximum(loss, np.finfo(np.float32).tiny))
