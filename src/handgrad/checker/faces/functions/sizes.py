"""The same inputs at other sizes, distinct where equal ones may hide what is confused."""

import itertools
from collections import defaultdict
from collections.abc import Iterator

import torch
from torch import Tensor

from handgrad.checker.faces.functions.inputs import Input
from handgrad.checker.faces.functions.oracles import Laboratory, Values

Slot = tuple[Input, int]
MOST_SLOTS = 6
MOST_ELEMENTS = 4096
"""Dimensions of one size that are told apart, and elements of an input that is made anew."""


def at_distinct_sizes(laboratory: Laboratory) -> Iterator[Values]:
    """Values of as many distinct sizes as the forward pass takes, larger ones and smaller ones; none where it has them.

    Whether two dimensions have to be equal, only the forward pass knows: it is tried with each way to tell those of one
    size apart, the most distinct first.
    """
    subject = laboratory.subject
    inputs = [one for one in subject.inputs if one.value.dim()]
    if subject.world.objects or not _may_hide(inputs) or any(one.value.numel() > MOST_ELEMENTS for one in inputs):
        return
    groups: dict[int, list[Slot]] = defaultdict(list)
    for one in inputs:
        for dim, size in enumerate(one.value.shape):
            if size > 1:
                groups[size].append((one, dim))
    before: dict[Slot, int] = {slot: size for size, slots in groups.items() for slot in slots}
    for first in (max(groups) + 1, 2):
        sizes = dict(before)
        for slots in groups.values():
            if 1 < len(slots) <= MOST_SLOTS:
                sizes |= _apart(laboratory, inputs, sizes, slots, first)
        if sizes != before:
            yield _values(inputs, sizes)


def _apart(
    laboratory: Laboratory, inputs: list[Input], sizes: dict[Slot, int], slots: list[Slot], first: int
) -> dict[Slot, int]:
    """Other sizes, from `first` on, for as many of the dimensions as the forward pass takes them for."""
    for parts in _partitions(slots):
        fresh = (n for n in itertools.count(first) if n not in sizes.values())
        chosen = {slot: n for part, n in zip(parts[1:], fresh, strict=False) for slot in part}
        if not chosen or _runs(laboratory, _values(inputs, sizes | chosen)):
            return chosen
    return {}


def _may_hide(inputs: list[Input]) -> bool:
    """Whether an input has two equal sizes, or two inputs have the same ones."""
    shapes = [tuple(n for n in one.value.shape if n > 1) for one in inputs]
    matrices = [shape for shape in shapes if len(shape) > 1]
    return any(len(set(shape)) < len(shape) for shape in shapes) or len(set(matrices)) < len(matrices)


def _partitions(slots: list[Slot]) -> list[list[list[Slot]]]:
    """All ways to divide the slots, the finest first."""

    def divided(rest: list[Slot]) -> Iterator[list[list[Slot]]]:
        if not rest:
            yield []
            return
        first, *others = rest
        for parts in divided(others):
            yield [[first], *parts]
            for i, part in enumerate(parts):
                yield [[first, *part], *parts[:i], *parts[i + 1 :]]

    return sorted(divided(slots), key=len, reverse=True)


def _values(inputs: list[Input], sizes: dict[Slot, int]) -> Values:
    """Elements of each input again, in other sizes, each a little changed."""
    generator = torch.Generator().manual_seed(11)
    found: Values = {}
    for one in inputs:
        shape = tuple(sizes.get((one, dim), n) for dim, n in enumerate(one.value.shape))
        found[one] = one.value if shape == tuple(one.value.shape) else _drawn(one.value, shape, generator)
    return found


def _drawn(value: Tensor, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    count = torch.Size(shape).numel()
    index = torch.randint(max(value.numel(), 1), (count,), generator=generator)
    noise = 1 + 0.1 * torch.randn(count, generator=generator, dtype=torch.float64)
    return (value.detach().reshape(-1)[index] * noise.to(value.dtype)).reshape(shape)


def _runs(laboratory: Laboratory, values: Values) -> bool:
    try:
        return bool(laboratory.outputs(values))
    except Exception:
        return False
