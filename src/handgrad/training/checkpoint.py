"""The run folder: everything about a run, written so that a kill at any moment leaves the old file or the new one.

config.json          settings, vocabulary, and which text it was
state.safetensors    parameters, step and losses: all that going on needs
model.safetensors    parameters and buffers: all that sampling needs
history.csv, loss.png, samples.txt
"""

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from handgrad.data.vocabulary import Vocabulary
from handgrad.errors import ConfigError, CorpusError, RunError
from handgrad.models.trained import Model, TextReference
from handgrad.training.config import TrainConfig
from handgrad.training.files import damaged, errors_named, read_tensors, require_free, write
from handgrad.training.mixture import Mixture, Part
from handgrad.training.state import Settings, State, first_moments, initial_state

FORMAT = 1
ADAM = "adam."


def create(folder: Path, settings: Settings | Mixture, files: Mapping[str, bytes] | None = None) -> None:
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
    if isinstance(settings, Mixture):
        raise RunError(
            "this is a mixture of runs, which takes no steps", where=folder,
            next_step="Go on with one of its runs, and mix them anew with 'handgrad mix'.",
        )  # fmt: skip
    return settings


def read_config(folder: Path) -> Settings | Mixture:
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
        raise RunError("no run folder: config.json is missing", where=folder) from None
    except OSError as error:
        raise RunError("config.json cannot be read", where=folder, got=error.strerror) from None
    except ValueError as error:
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
    tensors = {**state.parameters, **moments, "losses": state.losses[: state.step], "step": np.array(state.step)}
    write(folder, "state.safetensors", save(tensors))


def read_state(folder: Path, settings: Settings) -> State:
    """The state to go on from; the initial one where the run was ended before it saved any.

    Raises:
        RunError: the file is damaged.
    """
    if not (folder / "state.safetensors").exists():
        return initial_state(settings)
    tensors = read_tensors(folder / "state.safetensors")
    parameters = _of_shapes(folder / "state.safetensors", tensors, settings.model.shapes)
    step, losses = _count(folder / "state.safetensors", tensors, "step"), tensors.get("losses", np.empty(0))
    if not 0 <= step <= settings.config.steps or losses.shape != (step,):
        raise damaged(folder / "state.safetensors", f"{losses.size} losses at step {step}")
    moments = {}
    for name, first in first_moments(parameters, settings).items():
        moments[name] = tensors.get(f"{ADAM}{name}", np.empty(0))
        if (moments[name].shape, moments[name].dtype) != (first.shape, first.dtype):
            raise damaged(folder / "state.safetensors", f"no {ADAM}{name} of shape {first.shape}")
    state = State(step, parameters, moments, np.empty(settings.config.steps, np.float32))
    state.losses[:step] = losses
    return state


def save_model(folder: Path, model: Model) -> None:
    """Write `model.safetensors`.

    Raises:
        RunError: the disk is full or read-only; the model saved before is still there.
    """
    write(folder, "model.safetensors", packed(model))


def packed(model: Model) -> bytes:
    """What `model.safetensors` holds."""
    from safetensors.numpy import save

    return save({**model.parameters, **model.buffers, "steps": np.array(model.steps)})


def load(run: str | Path, corpus: str | Path | None = None) -> Model:
    """The model of a run folder, as far as it was trained.

    Args:
        run: the run folder.
        corpus: where the training text is now, if it has moved since.

    Raises:
        RunError: the folder is missing, damaged, or from a later version of handgrad.

    Example:
        >>> import handgrad
        >>> _ = handgrad.train(steps=20, batch_size=8, n_hidden=16, out=folder / "run")
        >>> handgrad.load(folder / "run").steps
        20
    """
    folder = Path(run)
    settings = read_config(folder)
    path = folder / "model.safetensors"
    if not path.exists() and isinstance(settings, Settings):
        raise RunError(
            "no model yet: the run was ended before its first checkpoint", where=folder,
            next_step=f"Go on with 'handgrad train --resume {folder}'.",
        )  # fmt: skip
    tensors = read_tensors(path)
    parameters = _of_shapes(path, tensors, settings.model.shapes)
    buffers = _of_shapes(path, tensors, settings.model.buffer_shapes)
    text = settings.text
    if corpus is not None:
        text = replace(text, source=str(Path(corpus).absolute()))
    steps = _count(path, tensors, "steps")
    return Model(settings.model, settings.vocabulary, parameters, buffers, text, steps)


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
