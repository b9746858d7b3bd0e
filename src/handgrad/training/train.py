"""`handgrad.train`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from handgrad.errors import ConfigError
from handgrad.models.trained import Model
from handgrad.training.config import TrainConfig
from handgrad.training.loop import Every, Progress, take_steps
from handgrad.training.run import finish, reopen, start
from handgrad.training.runs import finish_all, take_all_steps


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
        config: sizes and rates; without one, those of the family that `model` among the settings names.
        out: the run folder; by default `runs/<corpus>-<date and time>`.
        resume: a run folder to go on with, instead of `config`; the result is the uninterrupted run's, bit for bit.
        checkpoint_every: how often the run is saved: a number of steps, or seconds such as '30s'.
        progress: called as training goes on; of several runs, by each, from its own thread.
        settings: fields of `TrainConfig` that differ from `config`. A resumed run takes none but `device`.

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
        >>> model = handgrad.train(steps=20, batch_size=8, n_hidden=16, out=folder / "run")
        >>> model.parameters["C"].shape
        (27, 32)
    """
    every = Every.parse(checkpoint_every)
    if resume is None:
        config = replace(config, **settings) if config else TrainConfig.of(**{"model": "mlp", **settings})
        run = start(text, config, out)
    elif config is None and settings.keys() <= {"device"} and out is None:
        run = reopen(Path(resume), text, **settings)
    else:
        raise ConfigError(
            "a resumed run keeps its settings", where="resume", expected="no config or out, no settings but device"
        )
    if run.settings.config.runs == 1:
        return finish(take_steps(run, every, progress)).model
    results = finish_all(run, take_all_steps(run, every, (lambda _: progress) if progress else None))
    return results.outcomes[results.best].model
