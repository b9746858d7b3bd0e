"""Mean and variance of columns, part by part, in float64."""

from typing import NamedTuple

import numpy as np


class Moments(NamedTuple):
    """Of some rows.

    Args:
        count: how many.
        mean: (D,)
        squares: (D,) the sum of squares about the mean.
    """

    count: float
    mean: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, counts: np.ndarray) -> "Moments":
        """Of rows, (N, D), each of which stands for so many equal ones.

        Example:
            >>> Moments.of(np.array([[1.0], [4.0]]), np.array([2, 1]))
            Moments(count=3.0, mean=array([2.]), squares=array([6.]))
        """
        counts, rows = counts.astype(np.float64), rows.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):  # who asked looks at what is not finite
            mean = counts @ rows / counts.sum()
            rows -= mean
            return cls(float(counts.sum()), mean, counts @ np.square(rows, out=rows))

    def merged(self, other: "Moments") -> "Moments":
        """Of the rows of both; no digits cancel.

        Source: Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance", eq. 2.1.
        """
        count = self.count + other.count
        with np.errstate(invalid="ignore", over="ignore"):
            delta = other.mean - self.mean
            squares = self.squares + other.squares + delta**2 * (self.count * other.count / count)
            return Moments(count, self.mean + delta * (other.count / count), squares)

    @property
    def variance(self) -> np.ndarray:
        """With Bessel's correction."""
        return self.squares / max(self.count - 1, 1)
