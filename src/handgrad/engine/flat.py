"""Parameters by name in one flat vector, laid out from their shapes; the optimiser sees the vector alone."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from handgrad.engine.vectors import NARROW, aligned_zeros, padded

Arrays = Mapping[str, np.ndarray]

NEVER = np.float32(-1e30)
"""The bias of letters that only pad: softmax gives them nothing, and so they have no gradient."""


class Places(NamedTuple):
    """Where the numbers of a row or column stand, padded.

    Args:
        width: places in all.
        numbers: the place of each number.
    """

    width: int
    numbers: np.ndarray

    @classmethod
    def of(cls, size: int) -> "Places":
        """One after another, then what pads."""
        return cls(padded(size), np.arange(size))

    def side_by_side(self, groups: int) -> "Places":
        """So many such parts."""
        firsts = np.arange(groups)[:, None] * self.width
        return Places(groups * self.width, (firsts + self.numbers).reshape(-1))


class Block(NamedTuple):
    """A matrix or a vector in the flat vector, padded.

    Args:
        start: of its first number.
        rows: as many as there are, rounded up; 1 of a vector.
        columns: likewise.
        stride: from row to row.
        is_vector: whether it is a vector; PyTorch's form may have it as a row.
        stacked: so many parts stand one below the other.
    """

    start: int
    rows: int
    columns: int
    stride: int
    is_vector: bool
    stacked: int = 1

    def view(self, flat: np.ndarray) -> np.ndarray:
        """(rows, columns), or of a vector (columns,), in `flat`."""
        rows = flat[self.start : self.start + self.rows * self.stride].reshape(self.rows, self.stride)
        return rows[0, : self.columns] if self.is_vector else rows[:, : self.columns]


class Layout:
    """The places of the parameters of a model.

    Rows and columns are rounded up to whole half vectors, and what is added is 0. Rows lie an odd number of half
    vectors apart, and never close together: so numbers of a column fall into different sets of the cache, and all
    matrices are of the same kind to the compiler.

    Args:
        shapes: of the parameters, by name.
        groups: of how many parts side by side the rows of some are made.
        vectors: the names of those that are not matrices. They stand behind the matrices, from `matrices` on.
        columns: the places of a part's columns where they do not follow one another.
        rows: likewise of rows.
        joined: matrices that some of the same shape make, side by side.

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
        columns: Mapping[str, Places] | None = None,
        rows: Mapping[str, Places] | None = None,
        joined: Mapping[str, Sequence[str]] | None = None,
    ):
        self.shapes, self.blocks, self.matrices, self.size = dict(shapes), {}, 0, 0
        columns, rows, joined = columns or {}, rows or {}, joined or {}
        places: dict[str, tuple[str, Any]] = {}
        inside = {part for parts in joined.values() for part in parts}
        alone = {name: [name] for name in shapes if name not in inside}
        for block, parts in sorted({**joined, **alone}.items(), key=lambda item: item[0] in vectors):
            shape, n_groups, is_vector = shapes[parts[0]], groups.get(parts[0], 1), block in vectors
            part = columns.get(parts[0]) or Places.of(shape[-1] // n_groups)
            across = part.side_by_side(n_groups).side_by_side(len(parts))
            down = rows.get(parts[0]) or Places.of(1 if is_vector else shape[0])
            stride = across.width if is_vector else apart(across.width)
            n_rows = 1 if is_vector else down.width
            self.blocks[block] = Block(self.size, n_rows, across.width, stride, is_vector)
            for name, numbers in zip(parts, np.split(across.numbers, len(parts)), strict=True):
                places[name] = block, _index(numbers) if is_vector else _index(down.numbers, numbers)
            self.size += n_rows * stride
            if not is_vector:
                self.matrices = self.size
        self._places = {name: places[name] for name in shapes}

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
        """The parameters in `flat`, padded; those that are joined by the name of what they make."""
        return {name: block.view(flat) for name, block in self.blocks.items()}

    def pack(self, arrays: Arrays, never: str | None = None) -> np.ndarray:
        """The flat vector of arrays by name; the vector `never` is padded with NEVER."""
        flat = aligned_zeros(self.size)
        if never is not None:
            self.blocks[never].view(flat)[:] = NEVER
        for name, (block, places) in self._places.items():
            value, is_vector = arrays[name], self.blocks[block].is_vector
            self.blocks[block].view(flat)[places] = value.reshape(-1) if is_vector else value
        return flat

    def unpack(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """The arrays by name, in the shapes given."""
        views = self.views(flat)
        return {
            name: np.ascontiguousarray(views[block][places]).reshape(self.shapes[name])
            for name, (block, places) in self._places.items()
        }


def _index(*axes: np.ndarray) -> Any:
    """What picks these numbers of each axis; slices, which are quicker, of those that follow one another."""
    slices = [slice(axis[0], axis[-1] + 1) if (np.diff(axis) == 1).all() else axis for axis in axes]
    return tuple(slices) if slice in map(type, slices) else np.ix_(*axes)


def apart(columns: int) -> int:
    """How far rows of so many columns are to lie apart: an odd number of half vectors, and more than their width."""
    return columns + NARROW * (1 + columns // NARROW % 2)


def rows_apart(n_rows: int, columns: int) -> np.ndarray:
    """Zeros, (n_rows, columns), at least two rows, so far apart."""
    return aligned_zeros(max(2, n_rows), apart(columns))[:, :columns]
