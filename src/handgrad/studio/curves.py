"""The loss of a run over its steps, read by columns, and drawn from some hundred points however long it is."""

import functools
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from handgrad.training.files import damaged

_nothing: Any = functools.partial(np.empty, 0)


@dataclass(frozen=True)
class Losses:
    """What a run folder holds of its losses, in nats.

    Args:
        steps: after which the losses were measured, rising.
        losses: of the minibatches; each a mean over some steps where only the table of the history is left.
        val_steps: after which the validation loss was measured.
        val_losses: of the validation split.
    """

    steps: np.ndarray = field(default_factory=_nothing)
    losses: np.ndarray = field(default_factory=_nothing)
    val_steps: np.ndarray = field(default_factory=_nothing)
    val_losses: np.ndarray = field(default_factory=_nothing)

    @property
    def last(self) -> int:
        """The last step."""
        return int(max(self.steps[-1:].max(initial=0), self.val_steps[-1:].max(initial=0)))


def losses_of(run: Path) -> Losses:
    """All losses of a run: of every step from its state, else the means that `history.csv` has; none without both.

    Raises:
        RunError: what there is of them is damaged.
    """
    for name, read in (("state.safetensors", _of_state), ("history.csv", _of_table)):
        path = run / name
        try:
            stamp = path.stat()
        except OSError:
            continue
        return read(path, (stamp.st_mtime_ns, stamp.st_size, stamp.st_ino))
    return Losses()


@functools.lru_cache(maxsize=32)
def _of_state(path: Path, _stamp: tuple[int, ...]) -> Losses:
    tensors = _tensors(path, "losses", "validations")
    losses, validations = tensors.get("losses", np.empty(0)), tensors.get("validations", np.empty((0, 2)))
    if losses.ndim != 1 or validations.ndim != 2 or validations.shape[1] != 2:
        raise damaged(path, f"losses of shape {losses.shape}, validations of shape {validations.shape}")
    return _finite(np.arange(1.0, len(losses) + 1), losses.astype(np.float64), validations[:, 0], validations[:, 1])


def scalar(path: Path, name: str) -> int | None:
    """A whole number among the tensors of a file; None where there is no such file.

    Raises:
        RunError: it is damaged.
    """
    if not path.is_file():
        return None
    try:
        return int(_tensors(path, name)[name])
    except (KeyError, TypeError) as error:
        raise damaged(path, error) from None


def _tensors(path: Path, *names: str) -> dict[str, np.ndarray]:
    """Those of the tensors of a file that are there; the others are not read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            return {name: file.get_tensor(name) for name in set(file.keys()) & set(names)}
    except (SafetensorError, OSError, ValueError) as error:
        raise damaged(path, error) from None


@functools.lru_cache(maxsize=32)
def _of_table(path: Path, _stamp: tuple[int, ...]) -> Losses:
    try:
        with path.open("rb") as file:
            names = file.readline().decode().strip().split(",")
            rows = file.read().replace(b"\r\n", b"\n")
        step, loss, val_loss = (names.index(name) for name in ("step", "loss", "val_loss"))
        steps, losses = _columns(rows, step, loss)
        val_steps, val_losses = _columns(_measured(rows), step, val_loss)
    except (OSError, ValueError) as error:
        raise damaged(path, error) from None
    if not (np.diff(steps) > 0).all():
        raise damaged(path, "steps do not rise")
    return _finite(steps, losses, val_steps, val_losses)


def _columns(rows: bytes, *numbers: int) -> np.ndarray:
    if not rows:
        return np.empty((len(numbers), 0))
    return np.loadtxt(io.BytesIO(rows), delimiter=",", usecols=numbers, unpack=True, ndmin=2)


def _measured(rows: bytes) -> bytes:
    """The rows whose last column is not empty."""
    letters = np.frombuffer(rows, np.uint8)
    ends = np.flatnonzero(letters == ord("\n")) + 1
    starts = np.append(0, ends[:-1])[: len(ends)]
    full = np.flatnonzero(letters[ends - 2] != ord(","))
    return b"".join(rows[starts[row] : ends[row]] for row in full)


def _finite(steps: np.ndarray, losses: np.ndarray, val_steps: np.ndarray, val_losses: np.ndarray) -> Losses:
    fine, val_fine = np.isfinite(losses), np.isfinite(val_losses)
    return Losses(steps[fine], losses[fine], val_steps[val_fine], val_losses[val_fine])


def drawn(losses: Losses, first: float, last: float, points: int, log: bool = False) -> dict[str, Any]:
    """The losses from one step to another in windows of equal width, on the axis as it is shown.

    Returns:
        `steps`, and of each window the mean, `low` and `high` of its losses; `means` says whether a window is more than
        one number. `val_steps` and `val_losses` stand beside, all of them within the steps.

    Example:
        >>> losses = Losses(np.arange(1.0, 1e6 + 1), np.linspace(3, 2, 1_000_000))
        >>> shown = drawn(losses, 1, 1e6, points=100)
        >>> len(shown["steps"]), shown["means"]
        (100, True)
        >>> shown["low"][0] < shown["loss"][0] < shown["high"][0] == 3
        True
    """
    start, stop = np.searchsorted(losses.steps, [first, last + 1e-9])
    steps, values = losses.steps[start:stop], losses.losses[start:stop]
    val_start, val_stop = np.searchsorted(losses.val_steps, [first, last + 1e-9])
    means = len(steps) > points
    shown = (steps, values, values, values)
    if means:
        edges = (np.geomspace if log else np.linspace)(max(steps[0], 1), steps[-1], points + 1)[:-1]
        starts = np.unique(np.searchsorted(steps, edges - 1e-9))
        sizes = np.diff(np.append(starts, len(steps)))
        reduced = (np.minimum, np.maximum)
        shown = (
            np.add.reduceat(steps, starts) / sizes,
            np.add.reduceat(values, starts) / sizes,
            *(one.reduceat(values, starts) for one in reduced),
        )
    return {
        **{name: _short(column) for name, column in zip(("steps", "loss", "low", "high"), shown, strict=True)},
        "means": means,
        "val_steps": losses.val_steps[val_start:val_stop].tolist(),
        "val_losses": _short(losses.val_losses[val_start:val_stop]),
        "last": losses.last,
    }


def _short(column: np.ndarray) -> list[float]:
    return np.round(column, 5).tolist()
