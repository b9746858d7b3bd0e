"""Training from the first step to the samples: start or reopen a run, take steps, save, measure, draw."""

import importlib
import itertools
import math
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from handgrad import ctrl_c
from handgrad.data.corpus import Corpus, resolve_corpus
from handgrad.data.dataset import Dataset, Splits, split
from handgrad.errors import ConfigError, DivergedError
from handgrad.evaluation import mean_loss
from handgrad.models.trained import Model, TextReference
from handgrad.sampling import known_lines, sample
from handgrad.training import checkpoint
from handgrad.training.checkpoint import Settings, State
from handgrad.training.config import TrainConfig
from handgrad.training.history import summarise, to_csv
from handgrad.training.plot import loss_curve
from handgrad.training.schedule import learning_rate, minibatch_positions

BACKENDS = {"compiled": "handgrad.engine", "torch": "handgrad.training.torch_steps"}
SECONDS_A_CHUNK = 0.1
CHECKPOINT_EXAMPLES = 100_000
SAMPLES = 20


class Progress(Protocol):
    """What `train` calls after every tenth of a second or so of training."""

    def __call__(self, step: int, losses: np.ndarray) -> None:
        """`step` steps are done; `losses`, in nats, are those of the newest of them."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during training, after the run was saved at `step` in `folder`."""

    def __init__(self, folder: Path, step: int):  # noqa: D107
        super().__init__(f"Step {step:,} is saved; go on with 'handgrad train --resume {shlex.quote(str(folder))}'.")
        self.folder, self.step = folder, step


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


def train(
    text: str | Path | None = None,
    config: TrainConfig | None = None,
    *,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    checkpoint_every: str | int = "10s",
    progress: Progress | None = None,
    **settings: Any,
) -> Model:
    """Train a model on a text with one thing a line, with gradients derived by hand.

    Args:
        text: the file, or the name of a fetched corpus; without it, the built-in US names of 2018.
        config: sizes and rates.
        out: the run folder; by default `runs/<corpus>-<date and time>`.
        resume: a run folder to go on with, instead of `config`; the result is the uninterrupted run's, bit for bit.
        checkpoint_every: how often the run is saved: a number of steps, or seconds such as '30s'.
        progress: called as training goes on.
        settings: fields of `TrainConfig` that differ from `config`.

    Returns:
        The trained model. The run folder holds it too, with the history, the loss curve and 20 samples.

    Raises:
        ConfigError: a setting makes no sense.
        CorpusError: the text cannot be used.
        RunError: the run folder cannot be written, or cannot be gone on with.
        DivergedError: the loss is no longer a finite number.
        KeyboardInterrupt: Ctrl-C; the run is saved first.

    Source: lecture, exercise 4.

    Example:
        >>> import handgrad
        >>> model = handgrad.train(steps=20, batch_size=8, n_hidden=16, out=folder / "run")
        >>> model.parameters["C"].shape
        (27, 32)
    """
    every = Every.parse(checkpoint_every)
    if resume is None:
        run = start(text, replace(config or TrainConfig(), **settings), out)
    elif config is None and not settings and out is None:
        run = reopen(Path(resume), text)
    else:
        raise ConfigError("a resumed run keeps its settings", where="resume", expected="no config, settings or out")
    return finish(take_steps(run, every, progress)).model


@dataclass(frozen=True)
class Every:
    """How often to save: after so many steps, or after so many seconds."""

    steps: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str | int) -> "Every":
        """Read '1000' or 1000 as steps, and '30s' as seconds.

        Raises:
            ConfigError: it is neither.

        Example:
            >>> Every.parse("30s")
            Every(steps=None, seconds=30.0)
        """
        word = str(text).strip()
        try:
            every = cls(seconds=float(word[:-1])) if word.endswith("s") else cls(steps=int(word))
        except ValueError:
            every = cls()
        if not 0 < (every.steps or every.seconds or 0) < math.inf:
            raise ConfigError(
                "checkpoint_every makes no sense", got=repr(text), expected="steps such as 1000, or seconds such as 30s"
            )
        return every

    def due(self, steps: int, seconds: float) -> bool:
        """Whether it is time, so many steps and seconds after the last one."""
        return steps >= self.steps if self.steps else seconds >= (self.seconds or 0)


def start(text: str | Path | None, config: TrainConfig, out: str | Path | None) -> Run:
    """Read and split the text, and make the run folder with the state before the first step in it."""
    corpus = resolve_corpus(text)
    splits = split(corpus)
    _backend(config)  # so that one that is missing is missed before anything is written
    settings = Settings(config, corpus.vocabulary, TextReference.to(corpus))
    folder = Path(out) if out is not None else _new_folder(corpus.name)
    state = checkpoint.initial_state(settings)
    checkpoint.create(folder, settings)
    return Run(folder, settings, corpus, splits, state)


def reopen(folder: Path, text: str | Path | None = None) -> Run:
    """Open a run folder to go on with; `text` is where the training text is now, if it has moved."""
    settings = checkpoint.read_settings(folder)
    state = checkpoint.read_state(folder, settings)
    reference = settings.text if text is None else replace(settings.text, source=str(Path(text).absolute()))
    corpus = reference.read()
    checkpoint.clean(folder)
    return Run(folder, settings, corpus, split(corpus), state)


def take_steps(run: Run, every: Every, progress: Progress | None = None) -> Run:
    """Train to the last step, saving now and then and on Ctrl-C.

    Raises:
        DivergedError: a loss is not finite; the run folder keeps the last good checkpoint.
        Interrupted: Ctrl-C; the run folder holds all but the last moment.
    """
    config, state = run.settings.config, run.state
    saved, chunk = state.step, 1
    saved_at = time.monotonic()
    try:
        while state.step < config.steps:
            before, begun = state.step, time.monotonic()
            stop = min(state.step + chunk, config.steps, saved + (every.steps or config.steps))
            state = advance(state, config, run.splits.train, stop)
            now = time.monotonic()
            if progress:
                progress(stop, state.losses[before:stop])
            if ctrl_c.pressed:
                raise KeyboardInterrupt
            if every.due(stop - saved, now - saved_at):
                save(replace(run, state=state))
                saved, saved_at = stop, time.monotonic()
            chunk = max(1, min(2 * chunk, int((stop - before) * SECONDS_A_CHUNK / max(now - begun, 1e-6))))
    except KeyboardInterrupt:
        if state.step > saved:
            save(replace(run, state=state))
        raise Interrupted(run.folder, state.step) from None
    return replace(run, state=state)


def advance(state: State, config: TrainConfig, train_split: Dataset, stop: int) -> State:
    """The state after the steps up to `stop`: a function of its arguments, however the steps are cut into pieces.

    Raises:
        DivergedError: a loss or a parameter is no longer finite.
    """
    steps = range(state.step, stop)
    positions = minibatch_positions(config.seed, steps, config.batch_size, len(train_split))
    contexts, targets = train_split.contexts(positions, config.block_size), train_split.targets(positions)
    rates = [learning_rate(step, config) for step in steps]
    backend = _backend(config)
    moments: Mapping[str, np.ndarray] = {}
    if config.optimizer == "adam":
        parameters, moments, losses = backend.adam_steps(
            state.parameters, state.moments, contexts, targets, rates, config.weight_decay
        )
    else:
        parameters, losses = backend.sgd_steps(state.parameters, contexts, targets, rates)
    state.losses[state.step : stop] = losses
    finite = np.isfinite(losses)
    if not finite.all():
        step = state.step + int(np.argmin(finite))
        raise _diverged("the loss", state.losses[step], state.losses[:step], config)
    wrong = [value[~np.isfinite(value)] for value in parameters.values() if not np.isfinite(value).all()]
    if wrong:
        raise _diverged("a parameter", wrong[0][0], state.losses[:stop], config)
    return State(stop, parameters, moments, state.losses)


def _backend(config: TrainConfig) -> Any:
    return importlib.import_module(BACKENDS[config.engine])


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
        losses = {name: mean_loss(model, part) for name, part in run.splits._asdict().items()}
        samples = sample(model, SAMPLES, seed=run.settings.config.seed)
        checkpoint.write(run.folder, "samples.txt", "".join(f"{line}\n" for line in samples).encode())
    except KeyboardInterrupt:
        checkpoint.save_state(run.folder, run.state)
        raise Interrupted(run.folder, run.state.step) from None
    return Outcome(model, losses, samples, known_lines(run.corpus, samples))


def _save(run: Run, limit: int | None = None) -> Model:
    from handgrad import engine

    settings, state = run.settings, run.state
    parameters = dict(state.parameters)
    bnmean, bnvar = engine.calibrate(parameters, run.splits.train.tokens, settings.model.block_size, limit)
    wrong = [value for value in (*bnmean[0], *bnvar[0]) if not math.isfinite(value)]
    if wrong:
        raise _diverged("a statistic of batch norm", wrong[0], state.losses[: state.step], settings.config)
    model = Model(settings.model, settings.vocabulary, parameters, bnmean, bnvar, settings.text, state.step)
    checkpoint.save_state(run.folder, state)
    checkpoint.save_model(run.folder, model)
    _save_history(run)
    return model


def _save_history(run: Run) -> None:
    rows = summarise(run.state.losses[: run.state.step], run.settings.config)
    checkpoint.write(run.folder, "history.csv", to_csv(rows))
    if run.state.step == run.settings.config.steps:
        title = f"{run.corpus.name}: training loss over {run.state.step:,} steps"
        checkpoint.write(run.folder, "loss.png", loss_curve(rows, title))


def _diverged(what: str, value: float, before: np.ndarray, config: TrainConfig) -> DivergedError:
    """`what` has become `value` after the steps whose losses are `before`."""
    step = len(before)
    path = f", after {before[0]:.4g} at the first step and at most {before.max():.4g} since" if step else ""
    return DivergedError(
        f"{what} is no longer a finite number", where=f"step {step:,}", got=f"{value}{path}",
        next_step=f"The learning rate {config.lr:g} is likely too high: try --lr {min(config.lr / 10, 0.1):g}.",
    )  # fmt: skip


def _new_folder(corpus_name: str) -> Path:
    """`runs/<corpus>-<date and time>`, with a number where that is taken."""
    stem = Path("runs") / f"{corpus_name}-{datetime.now():%Y-%m-%d-%H%M%S}"
    names = itertools.chain([stem], (stem.with_name(f"{stem.name}-{k}") for k in itertools.count(2)))
    return next(path for path in names if not path.exists())
