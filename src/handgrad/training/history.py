"""The loss over the steps: means over windows, as a table for people and programs."""

import csv
import io
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from handgrad.training.state import State

ROWS, CURVE_POINTS = 1_000, 200


class HistoryRow(NamedTuple):
    """One window of steps, up to and without `step`; the validation loss is that after them, where it was measured."""

    step: int
    loss: float
    log10_loss: float
    lr: float
    val_loss: float | None


def summarise(state: "State", rows: int) -> list[HistoryRow]:
    """Means of the loss and of its log10 over windows (the lecture's are 1,000 of 200,000 steps).

    A window ends where the validation loss was measured, too, and may be half as long or half as long again for it.

    Args:
        state: of the run so far.
        rows: how many windows there are in the end, about.
    """
    width = max(1, state.schedule.stop // rows)
    measured = {int(step): loss for step, loss in state.validations}
    steps = np.array([0, *measured])
    ends = [end for end in range(width, state.step, width) if np.abs(steps - end).min() > width / 2]
    ends = sorted({*ends, *measured, state.step} - {0})
    smallest = np.finfo(np.float32).tiny  # a loss may be 0, whose logarithm no one can plot
    table, start = [], 0
    for end in ends:
        window = state.losses[start:end].astype(np.float64)
        log10 = float(np.log10(np.maximum(window, smallest)).mean())
        table.append(HistoryRow(end, float(window.mean()), log10, state.schedule.rate(end - 1), measured.get(end)))
        start = end
    return table


def to_csv(rows: list[HistoryRow]) -> bytes:
    """`history.csv`: step, loss (nats), log10_loss, lr, val_loss (nats; empty where it was not measured)."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HistoryRow._fields)
    for row in rows:
        val_loss = "" if row.val_loss is None else f"{row.val_loss:.6f}"
        writer.writerow((row.step, f"{row.loss:.6f}", f"{row.log10_loss:.6f}", f"{row.lr:g}", val_loss))
    return text.getvalue().encode()
