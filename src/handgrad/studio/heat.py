"""Tensors as small heat maps: numbers of eight bits, and where they come from."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from handgrad.errors import HandgradError

NOT_A_NUMBER = -128
STEPS = 127


def grid_shape(shape: tuple[int, ...] | torch.Size) -> tuple[int, int]:
    """Rows and columns of a tensor laid flat after its first dimension; a vector is one row.

    >>> grid_shape((32, 3, 10)), grid_shape((64,)), grid_shape(())
    ((32, 30), (1, 64), (1, 1))
    """
    rows = shape[0] if len(shape) > 1 else 1
    return rows, int(np.prod(shape[1:] if len(shape) > 1 else shape, dtype=int))


def heat_map(tensor: Tensor, most: int, top: float | None = None) -> dict[str, Any]:
    """A tensor as at most `most` × `most` cells, each the number of its block that is furthest from zero.

    Args:
        tensor: of any shape.
        most: rows and columns at most.
        top: the number that 127 stands for, up to its sign; the largest of all where it is left out.

    Returns:
        `rows` and `columns` of the map, `shape` of the tensor, `top`, and `data`, the cells as signed bytes in base64,
        of which -128 is not a finite number.

    Example:
        >>> found = heat_map(torch.tensor([[1.0, -2.0], [0.0, 0.5]]), 64)
        >>> found["top"], list(base64.b64decode(found["data"]))
        (2.0, [64, 129, 0, 32])
    """
    shape = grid_shape(tensor.shape)
    grid = tensor.detach().cpu().double().reshape(shape).numpy()
    finite = np.isfinite(grid)
    if top is None:
        top = largest(tensor)
    blocks = _furthest(np.where(finite, grid, np.inf), most)
    scaled = np.divide(blocks, top or 1.0, out=np.zeros_like(blocks), where=np.isfinite(blocks))
    data = np.where(np.isfinite(blocks), np.rint(np.clip(scaled, -1, 1) * STEPS), NOT_A_NUMBER).astype(np.int8)
    return {
        "rows": data.shape[0],
        "columns": data.shape[1],
        "shape": list(tensor.shape),
        "top": top,
        "data": base64.b64encode(data.tobytes()).decode(),
    }


def largest(*tensors: Tensor) -> float:
    """The largest finite number of all, without its sign."""
    found = [t.detach().abs().double().nan_to_num(0.0, 0.0, 0.0).max() for t in tensors if t.numel()]
    return float(max(found, default=0.0))


def block(shape: tuple[int, ...] | torch.Size, most: int, cell: tuple[int, int]) -> tuple[slice, slice]:
    """The rows and columns of a tensor, laid flat, that one cell of its map stands for.

    >>> block((128, 3), 64, (1, 2))
    (slice(2, 4, None), slice(2, 3, None))
    """
    return tuple(  # pyrefly: ignore[bad-return]
        slice(edges[at], edges[at + 1])
        for edges, at in ((_edges(size, most), at) for size, at in zip(grid_shape(shape), cell, strict=True))
    )


def furthest(weights: Sequence[Tensor], most: int, cell: tuple[int, int] | None) -> tuple[int, ...]:
    """The place of the largest element of the first tensor that is not zero everywhere.

    Args:
        weights: tensors of one shape, none below zero.
        most: rows and columns of the map.
        cell: of the map, where it is to be in that one.

    Raises:
        HandgradError: there is no such cell.

    Example:
        >>> furthest([torch.zeros(2, 2), torch.tensor([[0.0, 1.0], [3.0, 2.0]])], 64, (1, 1))
        (1, 1)
    """
    shape = weights[0].shape
    rows, columns = grid_shape(shape)
    part = block(shape, most, cell) if cell is not None and _inside(shape, most, cell) else (slice(None), slice(None))
    if rows * columns == 0 or (cell is not None and part[0].start is None):
        raise HandgradError("there is no such cell", got=cell)
    grids = [weight.detach().nan_to_num(0.0).reshape(rows, columns)[part] for weight in weights]
    grid = next((grid for grid in grids if bool(grid.any())), grids[-1])
    row, column = divmod(int(grid.argmax()), grid.shape[1])
    flat = ((part[0].start or 0) + row) * columns + (part[1].start or 0) + column
    return tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), shape))


def _inside(shape: torch.Size, most: int, cell: tuple[int, int]) -> bool:
    return len(cell) == 2 and all(0 <= at < min(size, most) for at, size in zip(cell, grid_shape(shape), strict=True))


def _edges(size: int, most: int) -> list[int]:
    cells = min(size, most)
    return [round(i * size / cells) for i in range(cells + 1)] if cells else [0]


def _furthest(grid: np.ndarray, most: int) -> np.ndarray:
    for axis in (0, 1):
        if grid.shape[axis] > most:
            starts = _edges(grid.shape[axis], most)[:-1]
            high, low = np.maximum.reduceat(grid, starts, axis), np.minimum.reduceat(grid, starts, axis)
            grid = np.where(high >= -low, high, low)
    return grid
