"""Compare a gradient with its reference: shape and dtype exactly, values relative to the largest one."""

import math
import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from torch import Tensor

from handgrad.checker.run.arrays import plain

DOUBLE_TOLERANCE = 3e-7
"""Relative to max|reference|, where the user's line was run in float64: constants typed with seven digits pass."""

SINGLE_TOLERANCE = 1e-5
"""The same where the line makes float32 numbers all the same."""

COARSE = 1e-4
"""Relative error up to which a gradient in float32, or in more, is close, where its line is right."""

ROUNDING_ALONE = 0.05
"""Relative error from which on a right gradient has no digit: it is zero but for rounding."""

PRECISIONS = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
"""What is 1 and the next larger number apart, the least first."""


@dataclass(frozen=True)
class Comparison:
    """How a gradient compares with its reference; `maxdiff` is None where the shapes differ."""

    same_shape: bool
    broadcasts: bool
    exact: bool
    approximate: bool
    maxdiff: float | None
    relative_error: float | None
    finite: bool = True


def as_tensor(value: Any, like: Tensor) -> Tensor | None:
    """The value as a dense tensor: a number or a list of numbers or tensors is made one, anything else is None."""
    if isinstance(value, Tensor) and value.is_meta:
        return None
    if isinstance(value, Tensor):
        own = plain(value.detach())
        return own if own.layout is torch.strided else own.to_dense()
    if isinstance(value, bool) or value is None or value is ...:
        return None
    try:
        if isinstance(value, list | tuple) and value and all(isinstance(v, Tensor) for v in value):
            return torch.stack([plain(v.detach()) for v in value])
        return torch.as_tensor(value, dtype=like.dtype)
    except (TypeError, ValueError, RuntimeError):
        return None


def align(got: Tensor, want: Tensor) -> Tensor | None:
    """`got` in the shape of `want` where broadcasting makes them one and adds no elements, else None.

    >>> align(torch.zeros(64), torch.zeros(1, 64)).shape
    torch.Size([1, 64])
    >>> align(torch.zeros(32), torch.zeros(32, 1)) is None
    True
    """
    if got.shape == want.shape:
        return got
    shape = []
    for a, b in zip_longest(reversed(got.shape), reversed(want.shape), fillvalue=1):
        if a != b and 1 not in (a, b):
            return None
        shape.insert(0, b if a == 1 else a)
    return got.broadcast_to(shape).reshape(want.shape) if math.prod(shape) == want.numel() else None


def compare(got: Tensor, want: Tensor) -> Comparison:
    """Compare in the dtype of `want`."""
    aligned = align(got, want)
    same = got.shape == want.shape
    if aligned is None:
        return Comparison(False, False, False, False, None, None)
    worst, size, finite = distance(aligned, want)
    relative = worst / size if size > 0 else (0.0 if worst == 0 else float("inf"))
    exact = bool(torch.equal(aligned.to(want.dtype), want))
    approximate = exact or bool(torch.allclose(aligned.to(want.dtype), want, equal_nan=True))
    return Comparison(same, not same, exact, approximate, worst if same else None, relative, finite)


def agrees(got: Any, want: Tensor, noise: float = 0.0, tolerance: float = DOUBLE_TOLERANCE) -> bool:
    """Whether the values are right to rounding, whatever the shape; `noise` is what may differ absolutely.

    A NumPy array that the user's code makes in float32 stays one, where all else is float64.
    """
    tensor = as_tensor(got, want)
    if tensor is None or tensor.is_complex():
        return False
    aligned = align(tensor, want)
    if aligned is None:
        return False
    worst, size, _ = distance(aligned, want)
    if isinstance(got, np.ndarray) and got.dtype == np.float32:
        tolerance = max(tolerance, SINGLE_TOLERANCE)
    return worst <= tolerance * size + noise


def precisions_of(text: str) -> list[str]:
    """The dtypes of low precision that a text casts to, the coarsest last.

    >>> precisions_of("dW = (x.half().T @ dy.bfloat16()).float()")
    ['float16', 'bfloat16']
    """
    words = set(re.findall(r"\w+", text.replace("half", "float16")))
    return [name for name in PRECISIONS if name in words]


def agrees_only(gradient: str, error: float | None, dtype: torch.dtype, text: str) -> list[str]:
    """A note on a right gradient that is off by more than its own dtype rounds, where `text` is what makes it.

    >>> agrees_only("dW", 0.004, torch.float32, "dW = (x.bfloat16().T @ dy.bfloat16()).float()")
    ["dW agrees only to bfloat16's precision: it is off by 0.4% of its largest element."]
    """
    if not error or not COARSE < error < ROUNDING_ALONE or dtype not in (torch.float32, torch.float64):
        return []
    known = precisions_of(text) or [name for name, apart in PRECISIONS.items() if error <= 2 * apart][:1]
    to = f"{known[-1]}'s precision" if known else "a few digits"
    return [f"{gradient} agrees only to {to}: it is off by {error:.1%} of its largest element."]


def distance(got: Tensor, want: Tensor) -> tuple[float, float, bool]:
    """The largest difference, the largest wanted value, and whether all is finite; 0 where there is nothing.

    A NaN or an infinity where one is wanted makes no difference, and anywhere else an infinite one.
    """
    if want.numel() == 0:
        return 0.0, 0.0, True
    if want.is_complex() or got.is_complex():
        got, want = (torch.view_as_real(t.to(torch.complex128)) for t in (got, want))
    a, b = got.detach().to(torch.float64), want.detach().to(torch.float64)
    difference = (a - b).abs()
    if math.isfinite(worst := float(difference.max())):
        return worst, float(b.abs().max()), True
    both = torch.isfinite(a) & torch.isfinite(b)
    agree = both | (a == b) | (a.isnan() & b.isnan())
    difference = torch.where(both, difference, torch.where(agree, 0.0, torch.inf))
    return float(difference.max()), float(torch.where(torch.isfinite(b), b.abs(), 0.0).max()), False


def size_of(tensor: Tensor) -> float:
    """The largest finite value."""
    return distance(tensor, tensor)[1]


def same(made: list[Tensor], mine: list[Tensor], tolerance: float = 1e-6) -> bool:
    """Whether two lists of tensors, real or complex, have the same shapes, and to rounding the same values."""
    if [t.shape for t in made] != [t.shape for t in mine]:
        return False
    return all(distance(a, b)[0] <= tolerance * (1 + size_of(b)) for a, b in zip(made, mine, strict=True))
