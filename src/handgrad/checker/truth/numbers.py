"""What the values alone say of a wrong gradient."""

import itertools
import math

from torch import Tensor

from handgrad.checker.truth.compare import agrees


def constant_ratio(got: Tensor, want: Tensor, tolerance: float) -> float | None:
    """The number by which every element has to be multiplied, where there is one.

    >>> import torch
    >>> constant_ratio(torch.tensor([1.0, -2.0]), torch.tensor([2.0, -4.0]), 1e-7)
    2.0
    """
    top = float(got.abs().max()) if got.numel() else 0.0
    if not math.isfinite(top) or top == 0:
        return None
    ratio = float((got * want).sum() / (got * got).sum())
    return ratio if ratio and agrees(got * ratio, want, 0.0, max(tolerance, 1e-6)) else None


def missing_sum(got: Tensor, want: Tensor, noise: float, tolerance: float) -> tuple[int, ...] | None:
    """The dimensions over which `got` has to be summed to be `want`.

    >>> import torch
    >>> missing_sum(torch.ones(3, 2), torch.tensor([3.0, 3.0]), 0.0, 1e-7)
    (0,)
    """
    for count in (1, 2, 3):
        for dims in itertools.combinations(range(got.dim()), count):
            for keep in (False, True):
                if agrees(got.sum(dims, keepdim=keep), want, noise, tolerance):
                    return dims
    return None
