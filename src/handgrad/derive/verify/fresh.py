"""Fresh values that are of the same kind as given ones: indices in range, masks of the same structure, probabilities.

Everything here is NumPy's; a kind is recognised from the values that a program has, and drawn at any shape.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Random = np.random.Generator
Shape = tuple[int, ...]
SEEN = 64
"""How much of each dimension is looked at."""


@dataclass(frozen=True)
class Kind:
    """What values are alike in: a name, and how to draw more of them at a shape, whole numbers below `top`."""

    name: str
    draw: Callable[[Shape, Random, int], np.ndarray]
    spread: float = 1.0


def kind_of(values: np.ndarray, *, constant: bool) -> Kind:
    """The kind of given values.

    Args:
        values: an array of any dtype.
        constant: whether nothing is differentiated by it, so that few different values in it are a mask.

    Example:
        >>> kind_of(np.tril(np.ones((4, 4))), constant=True).draw((3, 3), np.random.default_rng(0), 0)
        array([[1., 0., 0.],
               [1., 1., 0.],
               [1., 1., 1.]])
        >>> kind_of(np.array([2, 0, 1]), constant=True).name
        'permutation'
    """
    seen = values[tuple(slice(SEEN) for _ in values.shape)]
    if values.dtype.kind in "iu" and not (constant and _is_mask(seen) and seen.ndim > 1 and _along_diagonals(seen)):
        return _kind_of_indices(values)
    if constant and _is_mask(seen):
        return _kind_of_mask(seen)
    if not np.isfinite(seen).all():
        where, what = kind_of(~np.isfinite(seen), constant=True), seen[~np.isfinite(seen)][0]
        return Kind(
            "masked", lambda shape, random, _: np.where(where.draw(shape, random, 0), what, random.normal(size=shape))
        )
    return _kind_of_floats(seen.astype("float64"))


def free(kind: Kind) -> Kind:
    """Normal values about zero and of about the same size, whatever the sign and the range of the kind."""
    return Kind("any", lambda shape, random, _: random.normal(size=shape) * min(max(kind.spread, 0.1), 0.6))


def _is_mask(seen: np.ndarray) -> bool:
    return seen.dtype == bool or (seen.size > 3 and np.unique(seen).size <= min(3, seen.size // 2))


def _along_diagonals(seen: np.ndarray) -> bool:
    """Whether, in the last two dimensions, a value depends on the distance from the diagonal alone, and on that."""
    rows, columns = seen.shape[-2:]
    return (
        min(rows, columns) > 1
        and bool((seen[..., 1:, 1:] == seen[..., :-1, :-1]).all())
        and bool((seen == seen[(0,) * (seen.ndim - 2)]).all())
        and np.unique(seen).size > 1
    )


def _kind_of_mask(seen: np.ndarray) -> Kind:
    if seen.ndim > 1 and _along_diagonals(seen):
        last = seen[(0,) * (seen.ndim - 2)]
        offsets = {c - r: last[r, c] for r in range(last.shape[0]) for c in range(last.shape[1])}

        def diagonals(shape: Shape, _: Random, __: int) -> np.ndarray:
            distance = np.arange(shape[-1]) - np.arange(shape[-2])[:, None]
            nearest = np.vectorize(offsets.__getitem__, otypes=[seen.dtype])
            return np.broadcast_to(nearest(distance.clip(min(offsets), max(offsets))), shape).copy()

        return Kind("diagonals", diagonals)
    for axis in range(seen.ndim - 1, -1, -1):
        if (
            seen.dtype != bool
            and seen.shape[axis] > 1
            and ((seen == 1).sum(axis) == 1).all()
            and (seen.sum(axis) == 1).all()
        ):
            return Kind("one-hot", lambda shape, random, _, axis=axis: _one_hot(shape, random, axis).astype(seen.dtype))
    flat = seen.ravel()

    def scattered(shape: Shape, random: Random, _: int) -> np.ndarray:
        drawn = random.permutation(np.resize(random.permutation(flat), int(np.prod(shape)))).reshape(shape)
        first = (0,) * len(shape)
        drawn[first] = flat.max() if drawn.size else 0
        return drawn

    return Kind("mask", scattered)


def _one_hot(shape: Shape, random: Random, axis: int) -> np.ndarray:
    places = random.integers(shape[axis], size=[s if a != axis else 1 for a, s in enumerate(shape)])
    return (np.arange(shape[axis]).reshape([-1 if a == axis else 1 for a in range(len(shape))]) == places).astype(float)


def _kind_of_indices(values: np.ndarray) -> Kind:
    dtype, size = values.dtype, values.size
    flat = values.ravel()
    steps = np.arange(values.shape[-1]) if values.ndim else None
    if size > 1 and steps is not None and (values == steps).all():
        return Kind("positions", lambda shape, _, __: np.broadcast_to(np.arange(shape[-1], dtype=dtype), shape).copy())
    if values.ndim > 1 and size > 1 and (np.swapaxes(values, -1, -2) == np.arange(values.shape[-2])).all():

        def column(shape: tuple[int, ...], *_: object) -> np.ndarray:
            return np.broadcast_to(np.arange(shape[-2], dtype=dtype)[:, None], shape).copy()

        return Kind("positions", column)
    distinct = values.ndim == 1 and size > 1 and np.unique(flat).size == size
    if distinct and flat.min() == 0 and flat.max() == size - 1:
        return Kind("permutation", lambda shape, random, _: random.permutation(shape[0]).astype(dtype))
    rising = values.ndim == 1 and size > 2 and bool((np.diff(flat) >= 0).all())
    negative = flat[flat < 0]

    def indices(shape: Shape, random: Random, top: int) -> np.ndarray:
        count = int(np.prod(shape))
        drawn = random.permutation(top)[:count] if distinct and count <= top else random.integers(0, top, count)
        if count and not rising and not distinct:
            drawn[random.integers(count)] = top - 1
        if negative.size and count:
            places = random.random(count) < negative.size / size
            drawn = np.where(places, random.choice(negative, count), drawn)
        return (np.sort(drawn) if rising else drawn).reshape(shape).astype(dtype)

    return Kind("indices", indices)


def _kind_of_floats(seen: np.ndarray) -> Kind:
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)
    spread = float(np.clip(np.abs(seen).mean() * 1.25 if seen.size else 1, 1e-3, 1.5))
    square = seen.ndim > 1 and seen.shape[-1] == seen.shape[-2] > 1
    if square and np.allclose(seen, np.swapaxes(seen, -1, -2)) and (np.linalg.eigvalsh(seen) > 0).all():
        return Kind("positive definite", lambda shape, random, _: _positive_definite(shape, random) * spread)
    for axis in range(seen.ndim - 1, -1, -1):
        if seen.shape[axis] > 1 and low >= 0 and np.allclose(seen.sum(axis), 1):
            return Kind("probabilities", lambda shape, random, _, axis=axis: _softmax(random.normal(size=shape), axis))
        if seen.shape[axis] > 1 and np.allclose(np.square(seen).sum(axis), 1):
            return Kind("unit length", lambda shape, random, _, axis=axis: _unit(random.normal(size=shape), axis))
    if seen.ndim == 1 and seen.size > 2 and ((np.diff(seen) > 0).all() or (np.diff(seen) < 0).all()):
        sign = 1 if seen[1] > seen[0] else -1
        lengths = np.abs(np.diff(seen)).mean()

        def ordered(shape: tuple[int, ...], random: np.random.Generator, _: object) -> np.ndarray:
            return (low + np.cumsum(random.uniform(0.3, 1.7, shape[0])) * lengths)[::sign].copy()

        return Kind("ordered", ordered)
    if low > 0:
        return Kind("between", lambda shape, random, _: random.uniform(low, max(high, low * 1.5), shape))
    if low == 0 and high <= 1:
        return Kind("between", lambda shape, random, _: random.uniform(0, high or 1, shape))
    return Kind("scale", lambda shape, random, _: random.normal(size=shape) * spread, spread)


def _softmax(values: np.ndarray, axis: int) -> np.ndarray:
    powers = np.exp(values)
    return powers / powers.sum(axis, keepdims=True)


def _unit(values: np.ndarray, axis: int) -> np.ndarray:
    return values / np.sqrt(np.square(values).sum(axis, keepdims=True))


def _positive_definite(shape: Shape, random: Random) -> np.ndarray:
    root = random.normal(size=shape)
    if shape[-1] != shape[-2]:
        return root
    return root @ np.swapaxes(root, -1, -2) / shape[-1] + np.eye(shape[-1]) / 2
