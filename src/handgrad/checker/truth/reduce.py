"""Give a region other sizes: small ones, to try an edit in a moment, or larger ones, to see what holds in general."""

import ast
import copy
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.run.machine import compile_statement
from handgrad.checker.run.trace import Region, Step
from handgrad.checker.run.values import copy_values

KEPT = 4
"""Sizes up to this one stay as they are."""


@dataclass
class Reduction:
    """A region in other sizes: `sizes` says which size became which, `steps` which step stands for which.

    `written` are numbers that are sizes wherever they are written.
    """

    region: Region
    sizes: dict[int, int]
    steps: dict[Step, Step]
    larger: bool = False
    written: frozenset[int] = frozenset()

    def node(self, node: Any) -> Any:
        """A statement with the sizes that are written in it as numbers changed too.

        A small number may be a size by chance: where sizes get larger, it counts as an argument of some calls alone.
        """
        if all(self._small(part) is None for part in self._numbers(node)):
            return node
        node = copy.deepcopy(node)
        for part in list(self._numbers(node)):
            if (small := self._small(part)) is not None:
                vars(part)["value"] = small
        return node

    def _numbers(self, node: Any) -> Iterator[ast.AST]:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.Tuple):
            yield from ast.walk(node.value)
        for part in ast.walk(node):
            if not self.larger or getattr(part, "value", None) in self.written:
                yield part
            elif isinstance(part, ast.Call) and getattr(part.func, "attr", getattr(part.func, "id", "")) in _SIZED:
                yield from (number for argument in part.args for number in ast.walk(argument))

    def _small(self, part: ast.AST) -> int | float | None:
        """The number that stands for one that is a size; None for all else."""
        number = part.value if isinstance(part, ast.Constant) else None
        if not isinstance(number, int | float):
            return None
        return next((type(number)(small) for size, small in self.sizes.items() if size == number != small), None)


_SIZED = {"view", "reshape", "expand", "zeros", "ones", "empty", "full", "eye", "rand", "randn", "range", "arange"}


def _product(size: int, small: dict[int, int]) -> int | None:
    """A product of two different sizes, such as a context's length times an embedding's."""
    found = (a for a in reversed(small) if a > KEPT and size % a == 0 and a * a != size)
    return next((small[a] * small[size // a] for a in found if size // a > KEPT and size // a in small), None)


def _square(size: int, small: dict[int, int]) -> int | None:
    """A size times itself, such as that of eight heads of eight."""
    return next((small[a] ** 2 for a in small if a * a == size), None)


def _multiple(size: int, small: dict[int, int]) -> int | None:
    """A few times another size, such as the four gates of a hidden size."""
    found = ((size // n, n) for n in range(2, KEPT + 1) if size % n == 0)
    return next((small[a] * n for a, n in found if a > 1 and a in small), None)


def _sum(size: int, small: dict[int, int]) -> int | None:
    """A sum of two sizes, such as that of what is concatenated."""
    return next((small[a] + small[size - a] for a in reversed(small) if size - a in small), None)


RELATIONS: dict[str, tuple[Callable[[int, dict[int, int]], int | None], ...]] = {
    "none": (),
    "products": (_product,),
    "multiples": (_multiple,),
    "both": (_product, _multiple),
    "sums": (_product, _multiple, _sum),
    "all": (_product, _square, _multiple, _sum),
}
"""What is taken to be true of the sizes, and stays true of the small ones: the fewer the smaller."""


def small_sizes(sizes: Iterable[int], relations: str) -> dict[int, int]:
    """For every size a small one, different sizes different ones.

    >>> small_sizes([3, 10, 27, 30, 2048, 8192], "multiples")
    {3: 3, 10: 5, 27: 6, 30: 15, 2048: 7, 8192: 28}
    """
    wanted = sorted(set(sizes))
    for first in range(KEPT + 1, 4 * KEPT):
        small = {size: size for size in range(1, KEPT + 1)}
        for size in wanted:
            composed = (relation(size, small) for relation in RELATIONS[relations])
            small[size] = small.get(size) or next(filter(None, composed), None) or _unused(first, small)
        if len(set(small.values())) == len(small):
            return {size: small[size] for size in wanted}
    return {size: size for size in wanted}


def _unused(first: int, small: dict[int, int]) -> int:
    return next(n for n in range(first, first + len(small) + 1) if n not in small.values())


def larger_sizes(sizes: Iterable[int], relations: str) -> dict[int, int]:
    """For every size above 1 a larger one, different sizes different ones, and none of them a multiple of an old one.

    >>> larger_sizes([1, 3, 4, 12], "products")
    {1: 1, 3: 5, 4: 7, 12: 11}
    """
    wanted = sorted(set(sizes))
    larger: dict[int, int] = {1: 1}
    free = (n for n in _PRIMES if n not in wanted)
    for size in wanted:
        composed = (relation(size, larger) for relation in RELATIONS[relations])
        larger[size] = larger.get(size) or next(filter(None, composed), None) or next(free, size)
    return {size: larger[size] for size in wanted}


_PRIMES = (5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


def enlarged(region: Region, relations: str) -> Reduction:
    """The region in larger sizes, none of which is one of the old: what is right in both is no chance."""
    return reduced(region, relations, larger=True)


def reduced(region: Region, relations: str, larger: bool = False) -> Reduction:
    """The region with small sizes: tensors cut, indices cut into range, and numbers that are sizes made small.

    Only what the region starts from and what its statements make without a float tensor is cut; all else is computed
    from it anew.
    """
    worlds = [region.start, *(step.after for step in region.steps)]
    found = {size for world in worlds for tensor in _tensors(world) for size in tensor.shape if size}
    sizes = (larger_sizes if larger else small_sizes)(found, relations)
    shrink = _Shrink(sizes)
    scales = {name: _resized(factor, sizes) for name, factor in region.scales.items()}
    start = Region(shrink.world(region.start), begun=region.begun, scales=scales, reduced=True)
    small = Reduction(start, sizes, {}, larger)
    known = dict(region.start)
    for step in region.steps:
        node = small.node(step.statement.node)
        changed = node is not step.statement.node
        code = compile_statement(node, step.statement.place.unit) if changed else step.code
        again = step.plain and _is_arithmetic(step, known)
        small.steps[step] = replace(step, code=code, after=shrink.world(step.after), plain=step.plain and not again)
        small.region.steps.append(small.steps[step])
        known.update(step.after)
    return small


def _resized(factor: float, sizes: dict[int, int]) -> float:
    """A number that is a size, or one over it, for the other sizes."""
    for size, other in sizes.items():
        if size > 1 and math.isclose(factor, size, rel_tol=1e-6):
            return float(other)
        if size > 1 and math.isclose(factor, 1 / size, rel_tol=1e-6):
            return 1 / other
    return factor


def _tensors(world: dict[str, Any]) -> Iterable[Tensor]:
    for value in world.values():
        for part in value if isinstance(value, list | tuple) else (value,):
            if isinstance(part, Tensor):
                yield part


def _is_arithmetic(step: Step, known: dict[str, Any]) -> bool:
    """Whether a statement makes numbers of numbers, such as `n1 = n - 1`, and so can simply run again."""
    numbers = int | float
    return bool(step.after) and all(
        isinstance(v, numbers) for v in [*step.after.values(), *(known[n] for n in step.reads if n in known)]
    )


class _Shrink:
    def __init__(self, sizes: dict[int, int]):
        self.sizes, self.generator = sizes, torch.Generator().manual_seed(11)

    def world(self, values: dict[str, Any]) -> dict[str, Any]:
        """What every name holds, made small; floats inside lists, dicts and objects too."""
        plain = {name: self.value(value) for name, value in values.items()}
        return copy_values(plain, self.cut)

    def value(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return value if value.is_floating_point() or value.is_complex() else self.indices(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return self.sizes.get(value, value)
        if isinstance(value, list) and value and all(type(v) is int for v in value):
            return self.indices(torch.tensor(value)).tolist()
        if type(value) is list and len(value) < 256:
            return [self.value(v) for v in value]
        if type(value) is tuple:
            return tuple(self.value(v) for v in value)
        return value

    def cut(self, tensor: Tensor) -> Tensor:
        """The first elements in every dimension; where there are too few, more that are like them."""
        part = tuple(slice(self.sizes.get(size, size)) for size in tensor.shape)
        cut = tensor.detach()[part].clone()
        for dim, size in enumerate(tensor.shape):
            if (wanted := self.sizes.get(size, size)) > size > 0:
                cut = cut.index_select(dim, torch.arange(wanted, device=cut.device) % size)
        if cut.shape == tensor.shape or cut.numel() <= tensor.numel() or not cut.is_floating_point():
            return cut
        return cut * (0.8 + 0.4 * torch.rand(cut.shape, dtype=cut.dtype, generator=self.generator))

    def indices(self, tensor: Tensor) -> Tensor:
        """Whole numbers below a size, cut to numbers below the small one."""
        part = self.cut(tensor)
        if tensor.dtype == torch.bool or tensor.numel() == 0:
            return part
        top = int(tensor.max())
        bound = min((small for size, small in self.sizes.items() if size > top), default=top + 1)
        return torch.where(part >= 0, part % bound, part)
