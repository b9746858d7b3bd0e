"""The right gradient of one variable, and how far another is from it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Elements:
    """The right gradient, element by element; those that are not finite are `skipped`."""

    values: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the variable."""
        return self.values.shape

    @property
    def skipped(self) -> int:
        """How many elements are no numbers, and not compared."""
        return int((~np.isfinite(self.values)).sum())

    @property
    def largest(self) -> float:
        """The largest element's absolute value."""
        return float(np.abs(self.values[np.isfinite(self.values)]).max(initial=0.0))

    def error(self, given: np.ndarray, floor: float, unsure: np.ndarray | None = None) -> float:
        """The largest difference of an element, relative to the largest element, or a floor where that is larger.

        `unsure` is by how much each element may be off itself.
        """
        known = np.isfinite(self.values)
        off = np.abs(given[known] - self.values[known])
        if unsure is not None:
            off = np.maximum(off - unsure[known], 0)
        return float(np.nan_to_num(off, nan=np.inf).max(initial=0.0) / max(self.largest, floor))


@dataclass(frozen=True)
class Slopes:
    """The slopes of the output along some directions in which one variable is moved, each known but for an `unsure`."""

    shape: tuple[int, ...]
    directions: tuple[np.ndarray, ...]
    slopes: tuple[float, ...]
    unsure: tuple[float, ...]
    skipped: int = 0

    @property
    def largest(self) -> float:
        """The largest slope's absolute value."""
        return max(map(abs, self.slopes), default=0.0)

    def error(self, given: np.ndarray, floor: float) -> float:
        """The largest difference of a slope, relative to the largest slope, or a floor where that is larger."""
        found = [float((given * direction).sum()) for direction in self.directions]
        off = [max(abs(a - b) - c, 0.0) for a, b, c in zip(found, self.slopes, self.unsure, strict=True)]
        return float(np.nan_to_num(max(off, default=0.0), nan=np.inf)) / max(self.largest, floor)


Truth = Elements | Slopes
