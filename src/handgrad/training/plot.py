"""The picture of the loss curve, `loss.png`."""

import io
from itertools import pairwise
from typing import Any

import numpy as np

from handgrad.training.history import HistoryRow


def loss_curve(rows: list[HistoryRow], title: str) -> bytes:
    """A PNG of the smoothed log10 of the loss against the steps, as in the lecture, with the loss itself on the right.

    Args:
        rows: windows of the history, at least one.
        title: stands above the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot([row.step for row in rows], [row.log10_loss for row in rows], color="#1f6feb", linewidth=1.5)
    drop = next(
        (row.step for before, row in pairwise(rows) if row.lr < before.lr / 5 and before.lr == rows[0].lr), None
    )
    if drop is not None:
        axes.axvline(drop, color="#999999", linewidth=1, linestyle=":")
        axes.annotate("learning rate / 10", (drop, 1), xycoords=("data", "axes fraction"), xytext=(6, -14),
                      textcoords="offset points", color="#666666")  # fmt: skip
    axes.set(title=title, xlabel="step", ylabel=r"log$_{10}$ of the loss (mean over a window)")
    axes.xaxis.set_major_formatter(lambda step, _: f"{step:,.0f}")
    axes.grid(alpha=0.25)
    axes.margins(x=0.01)
    nats = axes.secondary_yaxis("right", functions=(_to_loss, _to_log10))
    nats.set_ylabel("loss (nats a character)")
    nats.yaxis.set_major_formatter("{x:.2f}")
    nats.yaxis.set_minor_formatter("")
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _to_loss(log10: Any) -> Any:
    return 10**log10


def _to_log10(loss: Any) -> Any:
    return np.log10(np.maximum(loss, np.finfo(np.float32).tiny))
