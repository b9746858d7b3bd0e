"""`handgrad.train`."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from os import PathLike
from pathlib import Path
from time import monotonic
from typing import Any

from rich.console import Console

from handgrad.errors import ConfigError
from handgrad.models.trained import Model
from handgrad.preparing import listening
from handgrad.training.config import TrainConfig
from handgrad.training.duration import seconds_of
from handgrad.training.job import Job, name_freed, reopen_job, start_job
from handgrad.training.loop import Every, Progress, take_steps
from handgrad.training.parts import Whole, finish_whole, train_parts
from handgrad.training.progress import PreparationProgress, TrainingProgress, is_live
from handgrad.training.recipes import DEFAULT_SECONDS, recipe
from handgrad.training.results import read_results
from handgrad.training.run import Outcome, finish, folder_for, read_text
from handgrad.training.runs import finish_all, take_all_steps
from handgrad.training.tensorboard import TensorBoard


def train(
    text: str | Path | None = None,
    config: TrainConfig | None = None,
    *,
    time: str | float | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    checkpoint_every: str | int = "10s",
    progress: Progress | bool = True,
    tensorboard: bool = False,
    **settings: Any,
) -> Model:
    """Train a model on a text with one thing a line, with gradients derived by hand.

    Args:
        text: the file, or the name of a fetched corpus; without it, the built-in US names of 2018.
        config: sizes and rates; without one, those of the family that `model` among the settings names, or, without
            that, what `handgrad.training.recipes` finds best for this text in the time: mostly a mixture of several.
        time: seconds, or '1m', that all of it may take; 12 seconds where neither steps nor a family are said.
        out: the run folder; by default `runs/<corpus>-<date and time>`.
        resume: a run folder to go on with, instead of `config`; the result is the uninterrupted run's, bit for bit.
            With `time` or `steps` it goes on for so much more.
        checkpoint_every: how often the run is saved: a number of steps, or seconds such as '30s'.
        progress: called as training goes on; of several runs, by each, from its own thread. True shows bars where there
            is a terminal or a notebook to show them in, False nothing.
        tensorboard: write losses and samples into the run folder for TensorBoard, too.
        settings: fields of `TrainConfig` that differ from `config`. A resumed run takes none but `steps` and `device`.

    Returns:
        The trained model, of several runs the best. The run folder holds it too, with the history, the loss curve
        and 20 samples.

    Raises:
        ConfigError: a setting makes no sense.
        CorpusError: the text cannot be used.
        RunError: the run folder cannot be written, or cannot be gone on with.
        DivergedError: the loss is no longer a finite number.
        KeyboardInterrupt: Ctrl-C; the run is saved first.

    Source: lecture, exercise 4.

    Example:
        >>> import handgrad
        >>> model = handgrad.train(model="mlp", steps=20, batch_size=8, n_hidden=16, out=folder / "run")
        >>> model.parameters["C"].shape
        (27, 32)
    """
    begun, every = monotonic(), Every.parse(checkpoint_every)
    _require_types(config, progress, text=text, out=out, resume=resume)
    seconds = None if time is None else seconds_of(time)
    if seconds is not None and "steps" in settings:
        raise ConfigError("time and steps both say how long to train", next_step="Leave out one of the two.")
    console = Console(stderr=True, highlight=False)
    with listening(PreparationProgress(console)) if progress is True else nullcontext():
        if resume is None:
            job = _begin(text, config, settings, seconds, out, begun)
        elif config is None and settings.keys() <= {"device", "steps"} and out is None:
            further = settings.get("steps"), seconds, begun
            job = reopen_job(Path(resume), text, settings.get("device"), *further)
        else:
            raise ConfigError(
                "a resumed run keeps its settings", where="resume",
                expected="no config or out, no settings but device and steps",
            )  # fmt: skip
    board = TensorBoard(None if isinstance(progress, bool) else progress) if tensorboard else None
    told = board or (None if isinstance(progress, bool) else progress)
    bars = TrainingProgress(console, told) if progress is True and is_live(console) else None
    with name_freed(job), board or nullcontext(), bars or nullcontext():
        outcome = _trained(job, every, bars.of if bars else lambda *_: told)
        if board:
            results = read_results(job.run.folder)
            board.samples(job.run.folder, results.steps if results else 0, outcome.samples)
    return outcome.model


def _require_types(config: Any, progress: Any, **paths: Any) -> None:
    """Raise ConfigError where an argument is of a wrong type."""
    wrong = {name: (path, "a path") for name, path in paths.items() if not isinstance(path, str | PathLike | None)}
    if not isinstance(config, TrainConfig | None):
        wrong["config"] = config, "a TrainConfig"
    if not (progress is None or isinstance(progress, bool) or callable(progress)):
        wrong["progress"] = progress, "True, False, or a function of a Report"
    for name, (got, expected) in wrong.items():
        raise ConfigError(f"{name} is of a wrong type", got=repr(got)[:80], expected=expected)


def _trained(job: Job, every: Every, told: Callable[..., Progress | None]) -> Outcome:
    if isinstance(job.run, Whole):
        trained = train_parts(job.run, every, told, job.ends, job.more_steps)
        return finish_whole(job.run, trained).outcome
    if job.run.settings.config.runs == 1:
        shown = told("", job.run.state.step, job.run.state.schedule.stop)
        return finish(take_steps(job.run, every, shown, job.pacer))
    steps = job.run.settings.config.steps
    results = finish_all(job.run, take_all_steps(job.run, every, lambda seed: told(f"seed {seed}", 0, steps)))
    return results.outcomes[results.best]


def _begin(
    text: str | Path | None, config: TrainConfig | None, settings: dict[str, Any], seconds: float | None,
    out: str | Path | None, begun: float,
) -> Job:  # fmt: skip
    if config is not None or "model" in settings:
        config = replace(config, **settings) if config else TrainConfig.of(**settings)
        read = read_text(text, config)
        return start_job(read, config, None, seconds, folder_for(read, out), begun + read.preparing_s)
    read = read_text(text, replace(TrainConfig(), split=settings.get("split", "distinct")))
    chosen = recipe(read.splits, seconds or DEFAULT_SECONDS)
    if seconds is None and "steps" not in settings:
        seconds = DEFAULT_SECONDS
    begun += read.preparing_s
    return start_job(read, replace(chosen.main, **settings), chosen, seconds, folder_for(read, out), begun)
