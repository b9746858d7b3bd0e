"""The run folder: everything about a run, written so that a kill at any moment leaves the old file or the new one.

config.json          settings, vocabulary, and which text it was
state.safetensors    parameters, step and losses: all that going on needs
model.safetensors    parameters and buffers: all that sampling needs
history.csv, loss.png, samples.txt
"""

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, astuple, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from handgrad.data.vocabulary import Vocabulary
from handgrad.errors import ConfigError, CorpusError, RunError
from handgrad.models.mix import Mix
from handgrad.models.trained import Model, TextReference
from handgrad.training.config import TrainConfig
from handgrad.training.files import damaged, errors_named, read_tensors, require_free, write
from handgrad.training.folders import refuse_folder_of_runs
from handgrad.training.mixture import Mixture, Part
from handgrad.training.plan import Plan
from handgrad.training.schedule import Leg, Schedule
from handgrad.training.state import Settings, State, first_moments, initial_state

FORMAT = 1
ADAM, BEST = "adam.", "best."


def create(folder: Path, settings: Settings | Mixture | Plan, files: Mapping[str, bytes] | None = None) -> None:
    """Make a run folder with its `config.json`; where that fails, nothing is left behind.

    Args:
        folder: a new or empty folder.
        settings: that `config.json` holds.
        files: that are there before it, by name.

    Raises:
        RunError: the folder is there already, or cannot be written.
    """
    require_free(folder)
    with errors_named(folder):
        made = [path for path in (folder, *folder.parents) if not path.exists()]
    content = {
        "format": FORMAT,
        "handgrad": version("handgrad"),
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        **settings.content,
        "vocabulary": settings.vocabulary.chars,
        "text": asdict(settings.text),
    }
    config = (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode()
    written = {**(files or {}), "config.json": config}
    try:
        with errors_named(folder):
            folder.mkdir(parents=True, exist_ok=True)
        for name, file in written.items():
            write(folder, name, file)
    except BaseException:
        for name in written:
            with suppress(OSError):
                (folder / name).unlink()
        if made:
            shutil.rmtree(made[-1], ignore_errors=True)
        raise


def read_settings(folder: Path) -> Settings:
    """The settings of a run.

    Raises:
        RunError: no run folder, damaged, from a later version, or that of a mixture.
    """
    settings = read_config(folder)
    if not isinstance(settings, Settings):
        raise RunError(
            "this is a mixture of runs, which takes no steps", where=folder,
            next_step="Go on with one of its runs, and mix them anew with 'handgrad mix'.",
        )  # fmt: skip
    return settings


def read_config(folder: Path) -> Settings | Mixture | Plan:
    """What `config.json` holds.

    Raises:
        RunError: no run folder, damaged, or from a later version.
    """
    if not folder.is_dir():
        raise RunError(
            "no such run folder", where=folder, next_step="'handgrad train' makes one and prints its path at the end."
        )
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        refuse_folder_of_runs(folder)
        raise RunError("no run folder: config.json is missing", where=folder) from None
    except OSError as error:
        raise RunError("config.json cannot be read", where=folder, got=error.strerror) from None
    except (ValueError, RecursionError) as error:
        raise damaged(folder / "config.json", error) from None
    try:
        if content["format"] > FORMAT:
            raise RunError(
                "made by a later version of handgrad", where=folder, got=f"format {content['format']}",
                expected=f"format {FORMAT}", next_step="Upgrade handgrad to read it.",
            )  # fmt: skip
        text = TextReference(**content["text"])
        if not all(isinstance(value, str) for value in (text.name, text.source, text.sha256)):
            raise TypeError(f"text is {content['text']}")
        vocabulary = Vocabulary(content["vocabulary"])
        if "plan" in content:
            return Plan.saved(content["plan"], vocabulary, text)
        if "mixture" in content:
            return Mixture(tuple(map(Part.saved, content["mixture"])), vocabulary, text)
        return Settings(TrainConfig.saved(content["training"]), vocabulary, text)
    except (ConfigError, CorpusError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise damaged(folder / "config.json", error) from None


def save_state(folder: Path, state: State) -> None:
    """Write `state.safetensors`.

    Raises:
        RunError: the disk is full or read-only; the state saved before is still there.
    """
    from safetensors.numpy import save

    moments = {f"{ADAM}{name}": value for name, value in state.moments.items()}
    best = {f"{BEST}{name}": value for name, value in state.best.items()}
    legs = np.array([astuple(leg) for leg in state.schedule.legs])
    more = {"losses": state.losses, "step": np.array(state.step), "legs": legs, "validations": state.validations}
    write(folder, "state.safetensors", save({**state.parameters, **moments, **best, **more}))


def read_state(folder: Path, settings: Settings) -> State:
    """The state to go on from; the initial one where the run was ended before it saved any.

    Raises:
        RunError: the file is damaged.
    """
    path = folder / "state.safetensors"
    if not path.exists():
        return initial_state(settings)
    tensors = read_tensors(path)
    parameters = _of_shapes(path, tensors, settings.model.shapes)
    step, losses = _count(path, tensors, "step"), tensors.get("losses", np.empty(0))
    schedule = _read_schedule(path, tensors, settings)
    if not 0 <= step <= schedule.stop or losses.shape != (step,) or losses.dtype != np.float32:
        raise damaged(path, f"{losses.size} losses at step {step}")
    moments = {}
    for name, first in first_moments(parameters, settings).items():
        moments[name] = tensors.get(f"{ADAM}{name}", np.empty(0))
        if (moments[name].shape, moments[name].dtype) != (first.shape, first.dtype):
            raise damaged(path, f"no {ADAM}{name} of shape {first.shape}")
    validations = tensors.get("validations", np.empty((0, 2)))
    if validations.ndim != 2 or validations.shape[1] != 2 or not (np.diff(validations[:, 0], prepend=0) > 0).all():
        raise damaged(path, "validations are not steps and losses")
    best = {name.removeprefix(BEST): value for name, value in tensors.items() if name.startswith(BEST)}
    if best:
        best = _of_shapes(path, best, settings.model.shapes)
        if not len(validations):
            raise damaged(path, "no validations, but a best state")
    return State(step, parameters, moments, losses, schedule, validations, best)


def _read_schedule(path: Path, tensors: Mapping[str, np.ndarray], settings: Settings) -> Schedule:
    """As it was saved; as it was planned in a run of before it could be changed."""
    planned = Schedule.planned(settings.config)
    legs = tensors.get("legs")
    if legs is None:
        return planned
    fine = legs.ndim == 2 and legs.shape[1] == 4 and len(legs) and np.isfinite(legs).all() and (legs >= 0).all()
    if not fine or legs[0, 0] or not (np.diff(legs[:, 0]) >= 0).all() or not (legs[:, 1] >= legs[:, 0]).all():
        raise damaged(path, "legs are no schedule")
    return replace(planned, legs=tuple(Leg(int(a), int(b), int(c), float(peak)) for a, b, c, peak in legs))


def save_model(folder: Path, model: Model) -> None:
    """Write `model.safetensors`.

    Raises:
        RunError: the disk is full or read-only; the model saved before is still there.
    """
    write(folder, "model.safetensors", packed(model))


def packed(model: Model, weights: np.ndarray | None = None) -> bytes:
    """What `model.safetensors` holds; of a run of several parts their weights in the mixture, too."""
    from safetensors.numpy import save

    more = {} if weights is None else {"weights": weights}
    return save({**model.parameters, **model.buffers, **more, "steps": np.array(model.steps)})


def load(run: str | Path, corpus: str | Path | None = None) -> Model:
    """The model of a run folder, as far as it was trained.

    Args:
        run: the run folder.
        corpus: where the training text is now, if it has moved since.

    Raises:
        RunError: the folder is missing, damaged, or from a later version of handgrad.
        ConfigError: `run` is no path.

    Example:
        >>> import handgrad
        >>> _ = handgrad.train(model="mlp", steps=20, batch_size=8, n_hidden=16, out=folder / "run")
        >>> handgrad.load(folder / "run").steps
        20
    """
    if not isinstance(run, str | os.PathLike):
        raise ConfigError("this is no run", got=repr(run)[:80], expected="the path of a run folder")
    folder = Path(run)
    settings = read_config(folder)
    path = folder / "model.safetensors"
    if not path.exists() and not isinstance(settings, Mixture):
        what = "its parts were mixed" if isinstance(settings, Plan) else "its first checkpoint"
        raise RunError(
            f"no model yet: the run was ended before {what}", where=folder,
            next_step=f"Go on with 'handgrad train --resume {folder}'.",
        )  # fmt: skip
    tensors = read_tensors(path)
    network = _mixture(path, settings, tensors) if isinstance(settings, Plan) else settings.model
    parameters = _of_shapes(path, tensors, network.shapes)
    buffers = _of_shapes(path, tensors, network.buffer_shapes)
    text = settings.text
    if corpus is not None:
        text = replace(text, source=str(Path(corpus).absolute()))
    steps = _count(path, tensors, "steps")
    return Model(network, settings.vocabulary, parameters, buffers, text, steps, folder)


def _mixture(path: Path, plan: Plan, tensors: Mapping[str, np.ndarray]) -> Mix:
    try:
        return plan.mixture(tensors["weights"])
    except (KeyError, ConfigError) as error:
        raise damaged(path, error) from None


def _of_shapes(
    path: Path, tensors: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int | None, ...]]
) -> dict[str, np.ndarray]:
    for name, shape in shapes.items():
        counted = None in shape  # integers, as many as the text has
        fits = name in tensors and (
            tensors[name].ndim == 1 and tensors[name].dtype.kind == "i"
            if counted
            else tensors[name].shape == shape and tensors[name].dtype == np.float32
        )
        if not fits:
            raise damaged(path, f"no {name} of shape {shape}")
        if not np.isfinite(tensors[name]).all():
            raise damaged(path, f"a number of {name} is not finite")
    return {name: tensors[name] for name in shapes}


def _count(path: Path, tensors: Mapping[str, np.ndarray], name: str) -> int:
    count = tensors.get(name, np.empty(0))
    if count.shape != () or count.dtype != np.int64:
        raise damaged(path, f"no {name}")
    return int(count)
