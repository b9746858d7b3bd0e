"""Parameters by name in one flat vector, laid out from their shapes; the optimiser sees the vector alone."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from handgrad.engine.layout import NEVER
from handgrad.engine.vectors import NARROW, aligned_zeros, padded

Arrays = Mapping[str, np.ndarray]


class Block(NamedTuple):
    """Where a parameter stands in the vector, padded.

    Args:
        start: of its first number.
        rows: of all parts one below the other, each rounded up; 1 of a vector.
        stride: from row to row.
        groups: so many parts side by side make a row.
        width: of a part, rounded up.
        is_vector: whether it is a vector; PyTorch's form may have it as a row.
        stacked: so many parts stand one below the other.
    """

    start: int
    rows: int
    stride: int
    groups: int
    width: int
    is_vector: bool
    stacked: int = 1

    def view(self, flat: np.ndarray) -> np.ndarray:
        """(rows, groups · width), or of a vector (groups · width,), in `flat`."""
        rows = flat[self.start : self.start + self.rows * self.stride].reshape(self.rows, self.stride)
        return rows[0, : self.groups * self.width] if self.is_vector else rows[:, : self.groups * self.width]

    def content(self, flat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """What of it does not pad, (parts one below the other, rows, groups, width of a part), in `flat`."""
        rows, width = 1 if self.is_vector else shape[0] // self.stacked, shape[-1] // self.groups
        parts = self.view(flat).reshape(self.stacked, -1, self.groups, self.width)
        return parts[:, :rows, :, :width]


class Layout:
    """The places of the parameters of a model.

    Rows and columns are rounded up to whole half vectors, and what is added is 0. Rows lie an odd number of half
    vectors apart, and never close together: so numbers of a column fall into different sets of the cache, and all
    matrices are of the same kind to the compiler.

    Args:
        shapes: of the parameters, by name.
        groups: of how many parts side by side the rows of some are made.
        vectors: the names of those that are not matrices. They stand behind the matrices, from `matrices` on.
        stacked: of how many parts, one below the other, some are made.

    Example:
        >>> layout = Layout({"b": (3,), "W": (2, 6)}, groups={"W": 2}, vectors=["b"])
        >>> flat = layout.pack({"b": np.ones(3), "W": np.arange(12).reshape(2, 6)})
        >>> layout.unpack(flat)["W"][1]
        array([ 6.,  7.,  8.,  9., 10., 11.], dtype=float32)
    """

    def __init__(  # noqa: D107
        self,
        shapes: Mapping[str, tuple[int, ...]],
        groups: Mapping[str, int],
        vectors: Collection[str],
        stacked: Mapping[str, int] = MappingProxyType({}),
    ):
        self.shapes, self.blocks, self.matrices, self.size = dict(shapes), {}, 0, 0
        for name in sorted(shapes, key=lambda name: name in vectors):
            n_groups, is_vector = groups.get(name, 1), name in vectors
            width = padded(shapes[name][-1] // n_groups)
            parts = stacked.get(name, 1)
            rows = 1 if is_vector else parts * padded(shapes[name][0] // parts)
            stride = n_groups * width if is_vector else apart(n_groups * width)
            self.blocks[name] = Block(self.size, rows, stride, n_groups, width, is_vector, parts)
            self.size += rows * stride
            if not is_vector:
                self.matrices = self.size

    def parts(self, names: Collection[str]) -> list[slice]:
        """Where those parameters stand, neighbours together, but matrices and vectors apart."""
        parts: list[slice] = []
        for name, block in self.blocks.items():
            if name in names:
                goes_on = parts and parts[-1].stop == block.start != self.matrices
                start = parts.pop().start if goes_on else block.start
                parts.append(slice(start, block.start + block.rows * block.stride))
        return parts

    def views(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """The parameters in `flat`, padded."""
        return {name: self.blocks[name].view(flat) for name in self.shapes}

    def pack(self, arrays: Arrays, never: str | None = None) -> np.ndarray:
        """The flat vector of arrays by name; the vector `never` is padded with `handgrad.engine.layout.NEVER`."""
        flat = aligned_zeros(self.size)
        if never is not None:
            self.blocks[never].view(flat)[:] = NEVER
        for name, shape in self.shapes.items():
            content = self.blocks[name].content(flat, shape)
            content[:] = arrays[name].reshape(content.shape)
        return flat

    def unpack(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """The arrays by name, in the shapes given."""
        return {
            name: self.blocks[name].content(flat, shape).reshape(shape).copy() for name, shape in self.shapes.items()
        }


def apart(columns: int) -> int:
    """How far rows of so many columns are to lie apart: an odd number of half vectors, and more than their width."""
    return columns + NARROW * (1 + columns // NARROW % 2)


def rows_apart(n_rows: int, columns: int) -> np.ndarray:
    """Zeros, (n_rows, columns), at least two rows, so far apart."""
    return aligned_zeros(max(2, n_rows), apart(columns))[:, :columns]
