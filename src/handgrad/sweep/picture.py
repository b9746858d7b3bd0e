"""The picture of a sweep: loss against the seconds that training took, one point a trial."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from handgrad.sweep.trials import Trial
from handgrad.training.overlay import COLOURS
from handgrad.training.plot import png_of

ABOVE = 0.4
"""In nats: trials that are so much worse than the best are not in the picture."""


def frontier(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those of some seconds and losses that no other beats in both, the fastest first.

    Example:
        >>> frontier([(1, 2.2), (2, 2.3), (3, 2.1)])
        [(1, 2.2), (3, 2.1)]
    """
    best: list[tuple[float, float]] = []
    for point in sorted(points):
        if not best or point[1] < best[-1][1]:
            best.append(point)
    return best


def picture(trials: Sequence[Trial], title: str) -> bytes:
    """A PNG with a point a trial, in its family's colour: full where it finished, hollow where it was stopped.

    Args:
        trials: at least one that finished.
        title: stands above the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [trial for trial in trials if trial.rungs and np.isfinite(trial.val)]
    finished = [trial for trial in shown if trial.status == "finished"]
    figure = Figure(figsize=(9, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    edge = frontier([_place(trial) for trial in shown])
    longest = max(_place(trial)[0] for trial in shown)
    beyond = [*edge, (longest * 1.05, edge[-1][1])]
    axes.step(*zip(*beyond, strict=True), where="post", color="#888888", linewidth=1, zorder=1, label="frontier")
    for model, colour in zip(dict.fromkeys(trial.config.model for trial in shown), COLOURS * 2, strict=False):
        for status, face in (("finished", colour), ("stopped", "none")):
            places = [
                _place(t) for t in shown if t.config.model == model and (t.status == "finished") == (face != "none")
            ]
            if places:
                label = f"{model}{', stopped early' * (status == 'stopped')}"
                axes.scatter(*zip(*places, strict=True), s=30, facecolor=face, edgecolor=colour, label=label, zorder=2)
    _name(axes, shown, finished)
    axes.set(xlabel="seconds of training, of one core", ylabel="validation loss, nats a character")
    axes.set_title(title, parse_math=False)
    low = min(trial.val for trial in shown)
    top = min(max(trial.val for trial in shown), low + ABOVE)
    axes.set_ylim(low - 0.06 * (top - low), top + 0.04 * (top - low))
    axes.grid(alpha=0.25)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, frameon=False)
    return png_of(figure)


def _name(axes: Any, shown: Sequence[Trial], finished: Sequence[Trial]) -> None:
    """Name the best and the default recipe."""
    best = min(finished, key=lambda trial: trial.val)
    default = [trial for trial in shown if trial.origin == "default" and trial != best]
    is_default = " (the default recipe)" * (best.origin == "default")
    named = [(best, f"best: {best.val:.3f}{is_default}", -12)]
    named += [(trial, f"default: {trial.val:.3f}", 9) for trial in default]
    for trial, text, above in named:
        axes.annotate(
            text, _place(trial), xytext=(-8, above), textcoords="offset points", ha="right", va="center", fontsize=8.5
        )


def _place(trial: Trial) -> tuple[float, float]:
    return trial.seconds, trial.val
