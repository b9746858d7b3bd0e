"""What in a program's values is a size: dimensions of arrays, whole numbers, and the ranges of indices."""

import ast
import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from handgrad.derive.read.calls import is_array
from handgrad.derive.verify.fresh import Kind, Shape, free, kind_of
from handgrad.derive.verify.running import Forward

PARTS = 64
"""The length up to which lists and dicts are looked into."""
Path = tuple[Any, ...]
NO_SIZES = frozenset(
    {"dim", "dims", "axis", "axes", "p", "ord", "diagonal", "correction", "ddof", "offset", "start_dim"}
)


@dataclass(frozen=True)
class Slot:
    """A place where a size stands: dimension `axis` of an array, a number, or the range (`top`) of an array of indices.

    `path` leads from the value of `name` to it, through lists and dicts; `size` is the program's own.
    """

    name: str
    path: Path
    kind: Literal["dim", "int", "top"]
    axis: int
    size: int


class Layout:
    """The sizes in what a program starts from, and how to make its values at other ones.

    Args:
        forward: the program's lines.
    """

    def __init__(self, forward: Forward):
        """See the class."""
        self.program = forward.program
        guarded = _guarded(forward)
        self.slots: dict[str, list[Slot]] = {}
        self.kinds: dict[tuple[str, Path], Kind] = {}
        for name in forward.given:
            found = list(_slots(name, (), self.program.before[name]))
            self.slots[name] = [s for s in found if s.kind != "int" or name not in guarded]
            for path, value in _arrays((), self.program.before[name]):
                self.kinds[name, path] = kind_of(as_numpy(value), constant=name not in self.program.inputs)

    def constrained(self) -> list[str]:
        """The names of floats whose values keep a sign, a range or a sum."""
        return list(dict.fromkeys(name for (name, _), kind in self.kinds.items() if kind.name in CONSTRAINED))

    def value(
        self, name: str, sizes: Mapping[Slot, int], random: np.random.Generator, kept: Collection[str] | None = None
    ) -> Any:
        """A fresh value of a name: arrays at new sizes, numbers that are sizes changed, all else as it is.

        Args:
            name: what the value is of.
            sizes: the new size of each slot.
            random: what is drawn from.
            kept: the names whose floats keep their sign, range or sum; all do where it is left out.
        """
        placed = {(s.path, s.kind, s.axis): sizes.get(s, s.size) for s in self.slots[name]}
        draw = functools.partial(self._drawn, name, kept is None or name in kept, random)
        return _rebuilt((), self.program.before[name], placed, draw)

    def _drawn(
        self, name: str, kept: bool, random: np.random.Generator, path: Path, shape: Shape, top: int
    ) -> np.ndarray:
        kind = self.kinds[name, path]
        return (kind if kept or kind.name not in CONSTRAINED else free(kind)).draw(shape, random, top)


CONSTRAINED = frozenset({"between", "probabilities", "unit length", "positive definite", "ordered", "scale"})
"""The kinds of floats that can be replaced by any values where the lines allow for it."""


def _rebuilt(path: Path, value: Any, placed: Mapping[Any, int], draw: Callable[[Path, Shape, int], np.ndarray]) -> Any:
    if is_array(value) or _is_index_list(value):
        shape = tuple(placed.get((path, "dim", axis), size) for axis, size in enumerate(np.shape(value)))
        drawn = draw(path, shape, placed.get((path, "top", 0), 0))
        return drawn.tolist() if isinstance(value, list) else like(drawn, value)
    if type(value) in (list, tuple) and len(value) <= PARTS:
        return type(value)(_rebuilt((*path, i), v, placed, draw) for i, v in enumerate(value))
    if type(value) is dict and len(value) <= PARTS:
        return {k: _rebuilt((*path, k), v, placed, draw) for k, v in value.items()}
    return placed.get((path, "int", 0), value)


def as_numpy(value: Any) -> np.ndarray:
    """The value as an array of NumPy."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)


def like(values: np.ndarray, given: Any) -> Any:
    """An array of NumPy as an array of the library and dtype of a given one."""
    if hasattr(given, "detach"):
        import torch

        return torch.from_numpy(np.ascontiguousarray(values).reshape(np.shape(values))).to(given.dtype)
    return np.asarray(values, dtype=given.dtype) if np.ndim(given) else given.dtype.type(values)


def _is_index_list(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(type(v) is int for v in value)


def _arrays(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    if is_array(value) or _is_index_list(value):
        yield path, value
    elif type(value) in (list, tuple) and len(value) <= PARTS:
        for i, part in enumerate(value):
            yield from _arrays((*path, i), part)
    elif type(value) is dict and len(value) <= PARTS:
        for key, part in value.items():
            yield from _arrays((*path, key), part)


def _slots(name: str, path: Path, value: Any) -> Iterator[Slot]:
    if is_array(value) or _is_index_list(value):
        array = as_numpy(value)
        yield from (Slot(name, path, "dim", axis, size) for axis, size in enumerate(array.shape) if size > 1)
        if array.dtype.kind in "iu" and array.size and array.max() > 0:
            yield Slot(name, path, "top", 0, int(array.max()) + 1)
    elif type(value) is int and value > 1:
        yield Slot(name, path, "int", 0, value)
    elif isinstance(value, list | tuple) and len(value) <= PARTS:
        for i, part in enumerate(value):
            yield from _slots(name, (*path, i), part)
    elif type(value) is dict and len(value) <= PARTS:
        for key, part in value.items():
            yield from _slots(name, (*path, key), part)


def _guarded(forward: Forward) -> set[str]:
    """The names of numbers that are no sizes, since a power or an axis is one."""
    found: set[str] = set()
    for step in forward.steps:
        for node in step.expressions.values():
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
                found |= {n.id for n in ast.walk(node.right) if isinstance(n, ast.Name)}
            if isinstance(node, ast.Call):
                values = [k.value for k in node.keywords if k.arg in NO_SIZES]
                found |= {v.id for v in values if isinstance(v, ast.Name)}
    return found
