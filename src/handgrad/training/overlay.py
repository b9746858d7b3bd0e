"""The picture of the curves of several runs."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

from handgrad.training.listing import Curve
from handgrad.training.plot import png_of

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#444444")
STYLES = ("-", "--", ":")
MOST = len(COLOURS) * len(STYLES)
POINTS, FEW = 120, 30
FAR_APART = 20.0
SKIPPED = 0.05
"""The share of its steps in which a run falls from guessing, which need not all be seen."""


class Shown(NamedTuple):
    """A run in the picture.

    Args:
        name: as the legend has it.
        curve: as far as there is one.
        level: the validation loss in the end, as far as it is known.
        mixed: whether the curve is that of a part of it.
    """

    name: str
    curve: Curve | None
    level: float | None
    mixed: bool = False


def overlay(shown: Sequence[Shown], title: str) -> bytes:
    """A PNG of the loss of several runs against their steps, the best at the top of the legend.

    What is counted has no curve but a level, in a thin line; a mixture has both, the curve of the part that was
    trained longest and its own level.

    Args:
        shown: at most `MOST`, each with a curve or a level.
        title: stands above the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    curves = [run.curve for run in shown if run.curve]
    kinds = {curve.validation for curve in curves}
    for number, run in enumerate(sorted(shown, key=_last)):
        look = {"color": COLOURS[number % len(COLOURS)], "linestyle": STYLES[number // len(COLOURS)]}
        if run.curve is None:
            axes.axhline(_last(run), linewidth=0.9, label=f"{run.name}: {_last(run):.3f}", **look)
            continue
        if run.mixed and run.level is not None:
            axes.axhline(run.level, linewidth=0.9, **look)
        training = ", minibatches" * (len(kinds) > 1 and not run.curve.validation)
        steps, losses = _smooth(run.curve)
        dots = "o" if len(steps) <= FEW else ""
        label = f"{run.name}{training}: {_last(run):.3f}"
        axes.plot(steps, losses, linewidth=1.6, marker=dots, markersize=3, label=label, **look)
    if curves:
        lengths = [curve.steps[-1] for curve in curves]
        if max(lengths) > FAR_APART * min(lengths):
            axes.set_xscale("log")
        ends = [_last(run) for run in shown]
        low = min(*ends, *(min(_smooth(curve)[1]) for curve in curves))
        high = max(*ends, *(curve.losses[int(len(curve.losses) * SKIPPED)] for curve in curves))
        edge = 0.03 * (high - low or 1)
        axes.set_ylim(low - edge, high + edge)
    what = "loss" if len(kinds) > 1 else "training loss (mean over a window)" if kinds == {False} else "validation loss"
    axes.set(title=title, xlabel="step", ylabel=f"{what}, nats a character")
    axes.xaxis.set_major_formatter(lambda step, _: f"{step:,.0f}")
    axes.grid(alpha=0.25)
    axes.margins(x=0.01)
    legend = axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, fontsize=8.5, frameon=False,
                title="loss at the end", alignment="left")  # fmt: skip
    for text in (axes.title, *legend.get_texts()):
        text.set_parse_math(False)
    return png_of(figure)


def _last(run: Shown) -> float:
    """The loss by which runs are ordered: in the end, on the validation split where it is known."""
    if run.level is not None:
        return run.level
    assert run.curve is not None
    return _smooth(run.curve)[1][-1]


def _smooth(curve: Curve) -> tuple[list[int], list[float]]:
    """A curve of minibatches in means over windows; validation losses as they are."""
    if curve.validation or len(curve.steps) <= POINTS:
        return curve.steps, curve.losses
    ends = [len(curve.steps) * (place + 1) // POINTS for place in range(POINTS)]
    losses = [fmean(curve.losses[start:end]) for start, end in pairwise([0, *ends])]
    return [curve.steps[end - 1] for end in ends], losses
