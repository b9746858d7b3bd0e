"""A run from its start to its samples: made or opened again, saved, measured, drawn from."""

import itertools
import shlex
import shutil
import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from handgrad.data.corpus import Corpus, resolve_corpus
from handgrad.data.dataset import Splits
from handgrad.errors import DivergedError
from handgrad.evaluation import mean_loss
from handgrad.models.forms import form_of
from handgrad.models.trained import Model, TextReference
from handgrad.sampling import known_lines, sample
from handgrad.threads import n_threads
from handgrad.training import checkpoint, files
from handgrad.training.backend import require_backend, require_room
from handgrad.training.config import MAX_STEPS, Device, TrainConfig
from handgrad.training.history import CURVE_POINTS, ROWS, summarise, to_csv
from handgrad.training.pace import MEASURED, Pacer, fitting
from handgrad.training.plot import loss_curve
from handgrad.training.processes import current
from handgrad.training.results import Results, now, read_results, write_results
from handgrad.training.state import Settings, State, initial_state
from handgrad.training.validation import head

CHECKPOINT_EXAMPLES = 100_000
FINISHING_S = 1.0
"""For the picture, the samples and the files."""
SAMPLES = 20


@dataclass(frozen=True)
class Run:
    """An open run folder: what it was started with, its text, and how far it has come."""

    folder: Path
    settings: Settings
    corpus: Corpus
    splits: Splits
    state: State
    seconds: float = 0.0
    """That the steps have taken."""


class Text(NamedTuple):
    """What is trained on.

    Args:
        corpus: the lines.
        reference: by what they are found again.
        splits: of them.
        preparing_s: seconds that it took to prepare a large one, which count as little as compiling.
    """

    corpus: Corpus
    reference: TextReference
    splits: Splits
    preparing_s: float = 0.0


class Outcome(NamedTuple):
    """What a finished run shows: the model, the loss of each split in nats, and lines drawn from it."""

    model: Model
    losses: dict[str, float]
    samples: list[str]
    known: set[str]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during training, after the run was saved at `step` in `folder`; several runs have no one step."""

    def __init__(self, folder: Path, step: int | None):  # noqa: D107
        saved = "What has been trained" if step is None else f"Step {step:,}"
        super().__init__(f"{saved} is saved; go on with 'handgrad train --resume {shlex.quote(str(folder))}'.")
        self.folder, self.step = folder, step


def read_text(text: str | Path | None, config: TrainConfig) -> Text:
    """Read the text and split it as the settings say."""
    begun, corpus = time.monotonic(), resolve_corpus(text)
    shuffle_seed = config.seed if config.random == "python" else None
    reference = TextReference.to(corpus, shuffle_seed, config.split == "distinct")
    splits = reference.split(corpus)
    return Text(corpus, reference, splits, 0.0 if corpus.stored is None else time.monotonic() - begun)


def start(text: Text, config: TrainConfig, folder: Path) -> Run:
    """Make the run folder with the state before the first step in it."""
    settings = prepared(text, config)
    state = initial_state(settings)
    checkpoint.create(folder, settings)
    return Run(folder, settings, text.corpus, text.splits, state)


def start_timed(text: Text, config: TrainConfig, folder: Path, ends: float, beyond: bool) -> tuple[Run, Pacer | None]:
    """As `start`, with as many steps as are done in time, and what keeps the run to it.

    Args:
        text: that is trained on.
        config: of the run.
        folder: of the run.
        ends: when all has to be done, on the clock of `time.monotonic`.
        beyond: whether it may take more steps than the settings say, if there is time.
    """
    settings = prepared(text, config)
    at_once = min(config.runs, n_threads())
    seconds = (ends - FINISHING_S - time.monotonic()) * at_once / config.runs
    fits = fitting(seconds, settings, text.splits)
    most = MAX_STEPS if beyond else config.steps
    run = start(text, replace(settings.config, steps=min(most, fits.steps)), folder)
    return run, Pacer(ends - FINISHING_S - fits.finishing_s, 0, most)


def go_on(run: Run, steps: int | None, ends: float | None) -> tuple[Run, Pacer | None]:
    """The run with so many steps before it, or as many as are done in time, or as many as it had."""
    if steps is not None:
        return extended(run, steps), None
    if ends is None:
        return run, None
    fits = fitting(ends - FINISHING_S - time.monotonic(), run.settings, run.splits)
    return extended(run, fits.steps), Pacer(ends - FINISHING_S - fits.finishing_s, run.state.step)


def prepared(text: Text, config: TrainConfig) -> Settings:
    """The settings of a run on a text, once nothing stands in its way; nothing is written yet."""
    config = current().settled(config)
    n_threads(), require_backend(config)
    if config.block_size == 0:
        config = replace(config, block_size=text.corpus.longest + 1)
    settings = Settings(config, text.corpus.vocabulary, text.reference)
    require_room(settings, text.corpus.starts)
    current().gather(settings)
    return settings


def reopen(folder: Path, text: str | Path | None = None, device: Device | None = None) -> Run:
    """Open a run folder to go on with.

    Args:
        folder: the run folder.
        text: where the training text is now, if it has moved.
        device: where to go on, if not where the run began; sums round differently there.
    """
    settings = checkpoint.read_settings(folder)
    if device is not None:
        settings = replace(settings, config=replace(settings.config, device=device))
    settings = replace(settings, config=current().settled(settings.config))
    require_backend(settings.config)
    run = opened(folder, settings, text_of(settings.text, text))
    current().gather(settings)
    return run


def opened(folder: Path, settings: Settings, text: Text) -> Run:
    """The run of a folder as far as it has come."""
    files.clean(folder)
    state, results = checkpoint.read_state(folder, settings), read_results(folder)
    return Run(folder, settings, text.corpus, text.splits, state, results.seconds if results else 0.0)


def text_of(reference: TextReference, moved: str | Path | None = None) -> Text:
    """The text of a run again, from where it has moved to if it has."""
    if moved is not None:
        reference = replace(reference, source=str(Path(moved).absolute()))
    corpus = reference.read()
    return Text(corpus, reference, reference.split(corpus))


def extended(run: Run, steps: int) -> Run:
    """The run with so many steps before it; one that had come to its end goes on from the best state it has been in."""
    state = run.state
    parameters = state.kept[1] if state.is_done else state.parameters
    schedule = state.schedule.until(state.step, state.step + steps)
    return replace(run, state=replace(state, parameters=parameters, schedule=schedule))


def save(run: Run) -> None:
    """Write a checkpoint: the state, a model that can be sampled from, and the history so far.

    Raises:
        DivergedError: the statistics of batch norm overflow; the checkpoint before this one stays.
        RunError: the folder cannot be written.
    """
    keep(run, limit=CHECKPOINT_EXAMPLES)
    write_results(run.folder, results_of(run))


def finish(run: Run) -> Outcome:
    """Calibrate, measure, draw the loss curve and the samples, and write all of it to the run folder."""
    try:
        before, model = read_results(run.folder), keep(run)
        if run.state.step:
            _draw_loss(run)
        losses = {name: mean_loss(model, head(part, MEASURED)) for name, part in run.splits._asdict().items()}
        samples = sample(model, SAMPLES, seed=run.settings.config.seed)
        files.write(run.folder, "samples.txt", "".join(f"{line}\n" for line in samples).encode())
        finished = before.finished if before and before.steps == run.state.step else None
        write_results(run.folder, replace(results_of(run), loss=losses, finished=finished or now()))
    except KeyboardInterrupt:
        checkpoint.save_state(run.folder, run.state)
        raise Interrupted(run.folder, run.state.step) from None
    return Outcome(model, losses, samples, known_lines(run.corpus, samples))


def keep(run: Run, limit: int | None = None) -> Model:
    """Write state, model and history, and return the model.

    Args:
        run: at any step.
        limit: of the tokens of which the buffers are measured; None for the whole training split.
    """
    settings, state = run.settings, run.state
    (step, kept), tokens = state.kept, run.splits.train.tokens
    parameters = dict(kept)
    buffers = form_of(settings.model.name).calibrate(settings.model, parameters, tokens, limit)
    wrong = [value[~np.isfinite(value)] for value in buffers.values() if not np.isfinite(value).all()]
    if wrong:
        raise diverged("a statistic of batch norm", wrong[0][0], state.losses, settings.config)
    model = Model(settings.model, settings.vocabulary, parameters, buffers, settings.text, step, run.folder)
    checkpoint.save_state(run.folder, state)
    checkpoint.save_model(run.folder, model)
    files.write(run.folder, "history.csv", to_csv(summarise(state, ROWS)))
    return model


def results_of(run: Run) -> Results:
    """What is measured of a run before its end."""
    return Results(run.state.step, round(run.seconds, 3), run.state.kept[0], together=current().used)


def _draw_loss(run: Run) -> None:
    title = f"{run.settings.text.name}: loss over {run.state.step:,} steps"
    files.write(run.folder, "loss.png", loss_curve(summarise(run.state, CURVE_POINTS), title))


def diverged(what: str, value: float, before: np.ndarray, config: TrainConfig) -> DivergedError:
    """`what` has become `value` after the steps whose losses are `before`."""
    step = len(before)
    path = f", after {before[0]:.4g} at the first step and at most {before.max():.4g} since" if step else ""
    return DivergedError(
        f"{what} is no longer a finite number", where=f"step {step:,}", got=f"{value}{path}",
        next_step=f"The learning rate {config.lr:g} is likely too high: try --lr {min(config.lr / 10, 0.1):g}.",
    )  # fmt: skip


def set_aside(folder: Path) -> Path | None:
    """Move a run folder to a name that says it diverged, and return that; delete it where nothing has been learnt."""
    if not any(folder.rglob("model.safetensors")):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    with files.errors_named(folder):
        return folder.rename(_free(folder.with_name(f"{folder.name}-diverged")))


def folder_for(text: Text, out: str | Path | None) -> Path:
    """Where the run of a text goes: to `out`, or to a new folder."""
    return new_folder(text.corpus.name) if out is None else Path(out)


def new_folder(corpus_name: str) -> Path:
    """`runs/<corpus>-<date and time>`, with a number where that is taken."""
    return _free(Path("runs") / f"{corpus_name.lstrip('.')}-{datetime.now():%Y-%m-%d-%H%M%S}")


def _free(path: Path) -> Path:
    """The path, with a number where it is taken, or that of what was piped in beside it."""
    paths = itertools.chain([path], (path.with_name(f"{path.name}-{k}") for k in itertools.count(2)))
    return next(path for path in paths if not (path.exists() or path.with_name(f"{path.name}.txt").exists()))
