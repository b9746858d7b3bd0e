"""The loss over the steps: means over windows, as a table for people and programs."""

import csv
import io
from typing import NamedTuple

import numpy as np

from handgrad.training.config import TrainConfig
from handgrad.training.schedule import learning_rate

ROWS, CURVE_POINTS = 1_000, 200


class HistoryRow(NamedTuple):
    """One window of steps, up to and without `step`."""

    step: int
    loss: float
    log10_loss: float
    lr: float


def summarise(losses: np.ndarray, config: TrainConfig, rows: int) -> list[HistoryRow]:
    """Means of the loss and of its log10 over windows (the lecture's are 1,000 of 200,000 steps).

    Args:
        losses: (steps so far,) nats, one minibatch each.
        config: of the run; `config.steps` sets the width of a window.
        rows: how many windows there are in the end, about.
    """
    width = max(1, config.steps // rows)
    windows = [losses[start : start + width].astype(np.float64) for start in range(0, len(losses), width)]
    smallest = np.finfo(np.float32).tiny  # a loss may be 0, whose logarithm no one can plot
    ends = [min(start + width, len(losses)) for start in range(0, len(losses), width)]
    return [
        HistoryRow(
            end,
            float(window.mean()),
            float(np.log10(np.maximum(window, smallest)).mean()),
            learning_rate(end - 1, config),
        )
        for end, window in zip(ends, windows, strict=True)
    ]


def to_csv(rows: list[HistoryRow]) -> bytes:
    """`history.csv`: step, loss (nats), log10_loss, lr."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HistoryRow._fields)
    writer.writerows((row.step, f"{row.loss:.6f}", f"{row.log10_loss:.6f}", f"{row.lr:g}") for row in rows)
    return text.getvalue().encode()
