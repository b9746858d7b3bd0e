"""Models for use without handgrad: as a Python file for PyTorch, or in ONNX."""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from handgrad.data.dataset import Dataset
from handgrad.errors import ConfigError, CorpusError, HandgradError
from handgrad.models.forms import form_of
from handgrad.models.trained import Model
from handgrad.training.folders import as_model

Target = Literal["torch", "onnx"]
SUFFIX = {"torch": ".py", "onnx": ".onnx"}
LINES_CHECKED, NUMBERS_AT_ONCE = 1_000, 2**22
CLOSE = 1e-4
"""So far may a log-probability be from ours: some hundred times what rounding in float32 makes of it."""


class Exported(NamedTuple):
    """What was written, and how near it is to the model.

    Args:
        files: the first is the one to run or load.
        lines: so many were read by both.
        of: what these lines are.
        difference: the greatest between the log-probabilities of their characters.
    """

    files: list[Path]
    lines: int
    of: str
    difference: float


def export(model: Model | str | Path, to: Target = "torch", out: str | Path | None = None) -> Exported:
    """Write a model for use without handgrad, and compare what it computes with what the model does.

    Args:
        model: from `handgrad.train` or `handgrad.load`, or a run folder.
        to: 'torch' for a readable Python file, with a `torch.nn.Module` that draws lines, and its weights in a
            `.safetensors` beside it; 'onnx' for an ONNX file.
        out: the file to write; by default one of the run's name, or the text's, in the working folder.

    Returns:
        The files, and the greatest difference between the log-probabilities of what was compared: the lines of the
        validation split, or lines drawn from the model where its text is not to be found any more.

    Raises:
        ConfigError: there is no such format, the file is there already or cannot be written, or what it takes is not
            installed.
        HandgradError: the file does not compute the same, and is not written.
        RunError: the run folder cannot be read.

    Example:
        >>> import handgrad
        >>> model = handgrad.train(steps=20, batch_size=8, n_hidden=16, out=folder / "run")
        >>> exported = handgrad.export(model, "torch", folder / "names.py")
        >>> [file.name for file in exported.files], exported.difference < 1e-4
        (['names.py', 'names.safetensors'], True)
    """
    if to not in get_args(Target):
        raise ConfigError("there is no such format", where="to", got=to, expected=" or ".join(get_args(Target)))
    trained = as_model(model)
    path = Path(out if out is not None else default_file(trained.text.name if trained is model else str(model), to))
    written = [path.with_suffix(suffix) for suffix in ((".py", ".safetensors") if to == "torch" else (".onnx",))]
    _require_free(path, written, SUFFIX[to])
    write, compute = _writer(to)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        files = write(trained, Path(folder) / path.name)
        checked = _compared(trained, lambda tokens: compute(files[0], tokens))
        return Exported([Path(shutil.move(file, path.parent / file.name)) for file in files], *checked)


def _writer(to: Target) -> tuple[Callable[[Model, Path], list[Path]], Callable[[Path, np.ndarray], np.ndarray]]:
    if to == "torch":
        from handgrad.exporting import torch_file

        return torch_file.write, torch_file.log_probabilities
    try:
        import onnx  # noqa: F401
    except ModuleNotFoundError:
        raise ConfigError(
            "onnx is not installed", where="to onnx", next_step="Install it: pip install 'handgrad[onnx]'."
        ) from None
    from handgrad.exporting import onnx_file

    return onnx_file.write, onnx_file.log_probabilities


def default_file(run: str | Path, to: Target) -> Path:
    """A file in the working folder with the name of a run, under which Python can import it."""
    words = re.sub(r"\W+", "_", Path(run).resolve().name).strip("_")
    return Path(words if words.isidentifier() else f"model_{words}".rstrip("_")).with_suffix(SUFFIX[to])


def _require_free(path: Path, files: list[Path], suffix: str) -> None:
    if path.suffix != suffix:
        raise ConfigError("this file name ends in another way", where=path, expected=f"a name that ends in {suffix}")
    if not path.parent.is_dir():
        raise ConfigError("there is no such folder", where=path.parent, next_step="Make it, or choose another --out.")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError("no file can be written there", where=path.parent, next_step="Choose another --out.")
    for file in files:
        if file.exists():
            raise ConfigError(
                "there is something here already", where=file, next_step="Choose another file with --out."
            )


def _compared(model: Model, compute: Callable[[np.ndarray], np.ndarray]) -> tuple[int, str, float]:
    """How many lines were read by both, which, and the greatest difference between their log-probabilities.

    Raises:
        HandgradError: it is too great.
    """
    from handgrad.engine.reading import of_tokens

    tokens, of = _lines_of(model)
    ours = of_tokens(model, form_of(model.config.name).readers(model), tokens)
    dataset, difference = Dataset(tokens), 0.0
    lengths = np.diff(dataset.starts)
    order = np.argsort(lengths, kind="stable").tolist()  # equally long lines together
    while order:
        at_once = max(1, NUMBERS_AT_ONCE // int(lengths[order[-1]] * model.config.vocab_size))
        lines, order = np.array(order[-at_once:]), order[:-at_once]
        X, Y = dataset.lines(lines)
        rows, places = np.nonzero(Y >= 0)
        theirs = compute(X.astype(np.int64))[rows, places, Y[rows, places]]
        difference = max(difference, float(np.abs(theirs - ours[dataset.starts[lines][rows] + places]).max()))
    if not difference <= CLOSE:
        raise HandgradError(
            "what was exported does not compute the same, and was not kept", got=f"a difference of {difference:.3g}",
            expected=f"at most {CLOSE:g} between log-probabilities",
        )  # fmt: skip
    return dataset.n_lines, of, difference


def _lines_of(model: Model) -> tuple[np.ndarray, str]:
    """Some lines to compare on, flat, each followed by one 0, none longer than the model can read."""
    from handgrad.sampling import sample

    with contextlib.suppress(CorpusError):
        dataset = model.text.split(model.text.read()).val
        fit = np.flatnonzero(np.diff(dataset.starts) <= (model.config.longest or len(dataset)))[:LINES_CHECKED]
        if len(fit):
            tokens = [dataset.tokens[dataset.starts[line] : dataset.starts[line + 1]] for line in fit]
            return np.concatenate(tokens), "lines of the validation split"
    lines = sample(model, LINES_CHECKED // 10, seed=1)
    return np.concatenate([np.append(model.vocabulary.encode(line), 0) for line in lines]), "lines drawn from it"
