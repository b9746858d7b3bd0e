"""A run of several parts, trained one after another and mixed into one model.

FOLDER/               a run folder: model, samples and curves are those of the mixture
FOLDER/gru/, …        the run folder of each part
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from handgrad.data.dataset import Splits
from handgrad.models.mix import mixture_of
from handgrad.models.trained import Model
from handgrad.sampling import known_lines, sample
from handgrad.training import checkpoint, files
from handgrad.training.history import CURVE_POINTS, summarise
from handgrad.training.loop import Every, Progress, take_steps
from handgrad.training.mix import of_tokens, useful_weights_of
from handgrad.training.pace import MEASURED, Pacer, fitting
from handgrad.training.plan import Plan
from handgrad.training.plot import loss_curves
from handgrad.training.recipes import Recipe
from handgrad.training.results import Results, now, write_results
from handgrad.training.run import (
    SAMPLES,
    Interrupted,
    Outcome,
    Run,
    Text,
    extended,
    keep,
    opened,
    prepared,
    start,
    text_of,
)
from handgrad.training.state import Settings
from handgrad.training.validation import head

MIXING_S = 1.2
"""For the mixture, its samples, the picture and the files."""


@dataclass(frozen=True)
class Whole:
    """An open run folder of several parts.

    Args:
        folder: of the run.
        plan: what it was started with.
        text: that its parts are trained on.
    """

    folder: Path
    plan: Plan
    text: Text


class TrainedPart(NamedTuple):
    """A part that has come to its end: its run, its model, and what that makes of the tokens of each split."""

    name: str
    run: Run
    model: Model
    logprobs: dict[str, np.ndarray]

    @property
    def losses(self) -> dict[str, float]:
        """Of each split, in nats a character."""
        return {name: -float(logprobs.mean(dtype=np.float64)) for name, logprobs in self.logprobs.items()}


class Mixed(NamedTuple):
    """What came of it: the parts, the weight of each, and the mixture."""

    parts: list[TrainedPart]
    weights: np.ndarray
    outcome: Outcome


def start_whole(text: Text, recipe: Recipe, seconds: float | None, folder: Path) -> Whole:
    """Make the run folder; the parts make theirs when their time comes."""
    parts = tuple(prepared(text, part).config for part in recipe.parts)
    plan = Plan(parts, recipe.shares, seconds, recipe.why, text.corpus.vocabulary, text.reference)
    checkpoint.create(folder, plan)
    return Whole(folder, plan, text)


def reopen_whole(folder: Path, plan: Plan, moved: str | Path | None = None) -> Whole:
    """Open a run folder of several parts to go on with."""
    files.clean(folder)
    return Whole(folder, plan, text_of(plan.text, moved))


def train_parts(
    whole: Whole,
    every: Every,
    progress: Callable[[str, int, int], Progress | None] | None = None,
    ends: float | None = None,
    more_steps: int = 0,
) -> list[TrainedPart]:
    """Train each part to its last step.

    Args:
        whole: from `start_whole` or `reopen_whole`.
        every: how often a part is saved.
        progress: makes what is told how a part goes, of its name, the steps done, and those there are.
        ends: when all has to be done, on the clock of `time.monotonic`; parts that were trained before go on for it.
        more_steps: that parts which have been trained before go on for.

    Raises:
        Interrupted: Ctrl-C; each part holds all but the last moment.
        DivergedError: a loss of a part is not finite.
    """
    trained, left = [], sum(whole.plan.shares)
    try:
        for name, settings, share in zip(whole.plan.names, settings_of(whole), whole.plan.shares, strict=True):
            seconds = _seconds_of(whole, name, ends) * share / left if share else math.inf
            run, pacer = _open_part(whole, name, settings, seconds, more_steps)
            if not run.state.is_done:
                shown = progress(name, run.state.step, run.state.schedule.stop) if progress else None
                run = take_steps(run, every, shown, pacer)
            left -= share
            trained.append(_measured(whole, name, run))
    except KeyboardInterrupt:
        raise Interrupted(whole.folder, None) from None
    return trained


def finish_whole(whole: Whole, trained: list[TrainedPart]) -> Mixed:
    """Mix the parts, measure, draw the curves and the samples, and write all of it to the run folder."""
    try:
        of_parts = {name: np.stack([part.logprobs[name] for part in trained]) for name in Splits._fields}
        weights = useful_weights_of(of_parts["val"])
        losses = {name: _loss_of_mixture(logprobs, weights) for name, logprobs in of_parts.items()}
        used = [part.model for part, weight in zip(trained, weights, strict=True) if weight]
        model = replace(mixture_of(used, [weight for weight in weights.tolist() if weight]), run=whole.folder)
        samples = sample(model, SAMPLES, seed=whole.plan.parts[0].seed)
        files.write(whole.folder, "model.safetensors", checkpoint.packed(model, weights))
        files.write(whole.folder, "samples.txt", "".join(f"{line}\n" for line in samples).encode())
        files.write(whole.folder, "loss.png", _curves(whole, trained, losses["val"]))
        steps = sum(part.run.state.step for part in trained)
        best = sum(part.run.state.kept[0] for part in trained)
        seconds = round(sum(part.run.seconds for part in trained), 3)
        write_results(whole.folder, Results(steps, seconds, best, losses, now()))
    except KeyboardInterrupt:
        raise Interrupted(whole.folder, None) from None
    return Mixed(trained, weights, Outcome(model, losses, samples, known_lines(whole.text.corpus, samples)))


def _seconds_of(whole: Whole, name: str, ends: float | None) -> float:
    """That there are for a part and all behind it; one that a kill has kept from beginning has its time before it."""
    if ends is not None:
        return ends - MIXING_S - time.monotonic()
    begun = (whole.folder / name / "config.json").exists()
    return math.inf if begun or whole.plan.seconds is None else whole.plan.seconds - MIXING_S


def settings_of(whole: Whole) -> list[Settings]:
    """As each part is planned."""
    return [Settings(part, whole.plan.vocabulary, whole.plan.text) for part in whole.plan.parts]


def _open_part(whole: Whole, name: str, planned: Settings, seconds: float, more_steps: int) -> tuple[Run, Pacer | None]:
    """The run of a part, made if it is not there yet, and what keeps it within its time."""
    folder, text = whole.folder / name, whole.text
    begun = time.monotonic()
    if (folder / "config.json").exists():
        run = opened(folder, checkpoint.read_settings(folder), text)
        if planned.model.counted:
            return run, None
        if more_steps:
            return extended(run, more_steps), None
        if seconds == math.inf:
            return run, None
        fits = fitting(seconds, run.settings, text.splits)
        return extended(run, fits.steps), Pacer(begun + seconds - fits.finishing_s, run.state.step)
    files.make_within(folder)
    if seconds == math.inf:
        return start(text, planned.config, folder), None
    fits = fitting(seconds, planned, text.splits)
    most = planned.config.steps
    run = start(text, replace(planned.config, steps=min(most, fits.steps)), folder)
    return run, Pacer(begun + seconds - fits.finishing_s, 0, most)


def _measured(whole: Whole, name: str, run: Run) -> TrainedPart:
    model = keep(run)
    splits = whole.text.splits._asdict().items()
    part = TrainedPart(name, run, model, {each: of_tokens(model, head(data, MEASURED).tokens) for each, data in splits})
    write_results(run.folder, Results(run.state.step, round(run.seconds, 3), run.state.kept[0], part.losses, now()))
    return part


def _loss_of_mixture(logprobs: np.ndarray, weights: np.ndarray) -> float:
    """Mean cross-entropy in nats, from the log-probability of each token by each model, (models, N)."""
    total = np.full(logprobs.shape[1], -math.inf)
    for of_one, weight in zip(logprobs, weights, strict=True):
        if weight:
            total = np.logaddexp(total, of_one + math.log(weight))
    return -float(total.mean())


def _curves(whole: Whole, trained: list[TrainedPart], mixed: float) -> bytes:
    nets = [part for part in trained if part.run.state.step]
    others = {part.name: part.losses["val"] for part in trained if not part.run.state.step}
    title = f"{whole.plan.text.name}: {', '.join(part.name for part in nets)}"
    return loss_curves([summarise(part.run.state, CURVE_POINTS) for part in nets], title, {**others, "mixture": mixed})
