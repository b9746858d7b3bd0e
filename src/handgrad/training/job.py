"""What is to be trained: one run, several seeds at once, or the parts of a mixture; in a time, or for some steps."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from handgrad.errors import ConfigError, DivergedError
from handgrad.models.config import require_integer
from handgrad.training.checkpoint import read_config
from handgrad.training.config import MAX_STEPS, Device, TrainConfig
from handgrad.training.pace import Pacer, compile_loops
from handgrad.training.parts import Whole, reopen_whole, settings_of, start_whole
from handgrad.training.plan import Plan
from handgrad.training.recipes import Recipe
from handgrad.training.run import Run, Text, go_on, prepared, reopen, set_aside, start, start_timed


class Job(NamedTuple):
    """What is to be trained.

    Args:
        run: one run, of one or several seeds, or one of several parts.
        pacer: keeps one run within its time.
        ends: when all parts have to be done, on the clock of `time.monotonic`; None for as long as they take.
        more_steps: that parts which had come to their end go on for.
        is_new: whether its folder has just been made.
    """

    run: Run | Whole
    pacer: Pacer | None = None
    ends: float | None = None
    more_steps: int = 0
    is_new: bool = False


@contextmanager
def name_freed(job: Job) -> Iterator[None]:
    """A new run that diverges is set aside, so that another can take its name; it goes where nothing was saved."""
    try:
        yield
    except DivergedError as error:
        if not job.is_new:
            raise
        aside = set_aside(job.run.folder)
        kept = "" if aside is None else f" What it had learnt by then is in {aside}."
        raise DivergedError(
            error.what, got=error.got, where=error.where, next_step=f"{error.next_step}{kept}"
        ) from None


def start_job(
    text: Text, config: TrainConfig, recipe: Recipe | None, seconds: float | None, folder: Path, begun: float
) -> Job:
    """Make the run folder of what is to be trained.

    Args:
        text: that it is trained on.
        config: of the run; with a recipe, of its main part.
        recipe: where it is one of several parts.
        seconds: that all of it may take; None for as long as the steps take.
        folder: of the run.
        begun: when its time began, on the clock of `time.monotonic`. Compiling, once on a machine, does not count.
    """
    if recipe is not None and len(recipe.parts) > 1 and config.runs == 1:
        whole = start_whole(text, recipe.with_main(config), seconds, folder)
        waited = sum(compile_loops(settings, text.splits) for settings in settings_of(whole))
        return Job(whole, ends=None if seconds is None else begun + waited + seconds, is_new=True)
    if seconds is None or config.steps == 0:
        return Job(start(text, config, folder), is_new=True)
    waited = compile_loops(prepared(text, config), text.splits)
    run, pacer = start_timed(text, config, folder, begun + waited + seconds, recipe is None)
    return Job(run, pacer, is_new=True)


def reopen_job(
    folder: Path,
    moved: str | Path | None,
    device: Device | None,
    steps: int | None,
    seconds: float | None,
    begun: float,
) -> Job:
    """Open a run folder to go on with.

    Args:
        folder: the run folder.
        moved: where the training text is now, if it has moved.
        device: where to go on, if not where the run began.
        steps: further ones to take; None for those that are left.
        seconds: to go on for, instead; None for as long as the steps take.
        begun: when its time began, on the clock of `time.monotonic`.

    Raises:
        ConfigError: it is counted, or is one of several seeds, and is to go on for longer; or `steps` makes no sense.
    """
    if steps is not None:
        require_integer("steps", steps, at_least=1, at_most=MAX_STEPS)
    ends = None if seconds is None else begun + seconds
    settings = read_config(folder)
    if isinstance(settings, Plan):
        if device is not None and device != "cpu":
            raise ConfigError("a run of several parts stays where it began", where="device", got=device, expected="cpu")
        whole = reopen_whole(folder, settings, moved)
        return Job(whole, ends=ends, more_steps=steps or 0)
    run = reopen(folder, moved, device)
    if run.settings.config.runs > 1 and (steps or ends):
        raise ConfigError(
            "several runs at once keep their steps", where=folder, next_step="Go on with one of them, such as its best."
        )
    if run.settings.model.counted and (steps or ends):
        raise ConfigError(
            f"the {run.settings.model.name} is counted, not trained, and goes no further", where=folder,
            next_step="Leave out how much longer.",
        )  # fmt: skip
    run, pacer = go_on(run, steps, ends)
    return Job(run, pacer)
