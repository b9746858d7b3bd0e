"""A run from its start to its samples: made or opened again, saved, measured, drawn from."""

import itertools
import shlex
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
from handgrad.training.config import Device, TrainConfig
from handgrad.training.history import CURVE_POINTS, ROWS, HistoryRow, summarise, to_csv
from handgrad.training.plot import loss_curve
from handgrad.training.state import Settings, State, initial_state

CHECKPOINT_EXAMPLES = 100_000
SAMPLES = 20


@dataclass(frozen=True)
class Run:
    """An open run folder: what it was started with, its text, and how far it has come."""

    folder: Path
    settings: Settings
    corpus: Corpus
    splits: Splits
    state: State


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


def start(text: str | Path | None, config: TrainConfig, out: str | Path | None) -> Run:
    """Read and split the text, and make the run folder with the state before the first step in it."""
    corpus = resolve_corpus(text)
    reference = TextReference.to(corpus, config.seed if config.random == "python" else None)
    splits = reference.split(corpus)
    n_threads(), require_backend(config)  # so that what is wrong with them is said before anything is written
    if config.block_size == 0:
        config = replace(config, block_size=corpus.longest + 1)
    settings = Settings(config, corpus.vocabulary, reference)
    require_room(settings, corpus.starts)
    folder = Path(out) if out is not None else new_folder(corpus.name)
    state = initial_state(settings)
    checkpoint.create(folder, settings)
    return Run(folder, settings, corpus, splits, state)


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
    require_backend(settings.config)
    state = checkpoint.read_state(folder, settings)
    reference = settings.text if text is None else replace(settings.text, source=str(Path(text).absolute()))
    corpus = reference.read()
    files.clean(folder)
    return Run(folder, settings, corpus, reference.split(corpus), state)


def save(run: Run) -> None:
    """Write a checkpoint: the state, a model that can be sampled from, and the history so far.

    Raises:
        DivergedError: the statistics of batch norm overflow; the checkpoint before this one stays.
        RunError: the folder cannot be written.
    """
    _save(run, limit=CHECKPOINT_EXAMPLES)


def finish(run: Run) -> Outcome:
    """Calibrate, measure, draw the loss curve and the samples, and write all of it to the run folder."""
    try:
        model = _save(run)
        if run.state.step:
            _draw_loss(run)
        losses = {name: mean_loss(model, part) for name, part in run.splits._asdict().items()}
        samples = sample(model, SAMPLES, seed=run.settings.config.seed)
        files.write(run.folder, "samples.txt", "".join(f"{line}\n" for line in samples).encode())
    except KeyboardInterrupt:
        checkpoint.save_state(run.folder, run.state)
        raise Interrupted(run.folder, run.state.step) from None
    return Outcome(model, losses, samples, known_lines(run.corpus, samples))


def _save(run: Run, limit: int | None = None) -> Model:
    settings, state = run.settings, run.state
    parameters, tokens = dict(state.parameters), run.splits.train.tokens
    buffers = form_of(settings.model.name).calibrate(settings.model, parameters, tokens, limit)
    wrong = [value[~np.isfinite(value)] for value in buffers.values() if not np.isfinite(value).all()]
    if wrong:
        raise diverged("a statistic of batch norm", wrong[0][0], state.losses[: state.step], settings.config)
    model = Model(settings.model, settings.vocabulary, parameters, buffers, settings.text, state.step)
    checkpoint.save_state(run.folder, state)
    checkpoint.save_model(run.folder, model)
    files.write(run.folder, "history.csv", to_csv(_history(run, ROWS)))
    return model


def _draw_loss(run: Run) -> None:
    title = f"{run.corpus.name}: training loss over {run.state.step:,} steps"
    files.write(run.folder, "loss.png", loss_curve(_history(run, CURVE_POINTS), title))


def _history(run: Run, rows: int) -> list[HistoryRow]:
    return summarise(run.state.losses[: run.state.step], run.settings.config, rows)


def diverged(what: str, value: float, before: np.ndarray, config: TrainConfig) -> DivergedError:
    """`what` has become `value` after the steps whose losses are `before`."""
    step = len(before)
    path = f", after {before[0]:.4g} at the first step and at most {before.max():.4g} since" if step else ""
    return DivergedError(
        f"{what} is no longer a finite number", where=f"step {step:,}", got=f"{value}{path}",
        next_step=f"The learning rate {config.lr:g} is likely too high: try --lr {min(config.lr / 10, 0.1):g}.",
    )  # fmt: skip


def new_folder(corpus_name: str) -> Path:
    """`runs/<corpus>-<date and time>`, with a number where that is taken."""
    stem = Path("runs") / f"{corpus_name}-{datetime.now():%Y-%m-%d-%H%M%S}"
    names = itertools.chain([stem], (stem.with_name(f"{stem.name}-{k}") for k in itertools.count(2)))
    return next(path for path in names if not path.exists())
