"""The slope of a function that only returns numbers: by central differences of the fourth order."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

STEP = 1e-3
MOST = 20_000
used: set[str] = set()
"""The functions that were differentiated so, for a note."""


def by_differences(function: Callable, args: tuple, kwargs: dict, made: Any, raw: Callable, wrapped: Callable) -> Any:
    """What the function made, with a gradient.

    Raises:
        RuntimeError: there are too many numbers to vary each of them.
    """
    name = getattr(function, "__name__", "a function")
    inputs = [one for one in args if isinstance(one, Tensor) and one.requires_grad]
    if sum(one.numel() for one in inputs) > MOST or not inputs:
        raise RuntimeError(f"the checker does not follow np.{name} here")
    used.add(name)
    several = isinstance(made, list | tuple)

    def again(values: list[np.ndarray]) -> list[np.ndarray]:
        given = iter(values)
        result = function(*(next(given) if any(one is i for i in inputs) else raw(one) for one in args), **raw(kwargs))
        return [np.asarray(part) for part in (result if several else [result])]

    class Slope(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *values):
            ctx.values = [value.detach().numpy().copy() for value in values]
            parts = tuple(torch.from_numpy(np.array(part)) for part in (made if several else [made]))
            ctx.mark_non_differentiable(*(part for part in parts if not part.is_floating_point()))
            return parts

        @staticmethod
        def backward(ctx, *gradients):
            wanted = [g.numpy() if g is not None else 0.0 for g in gradients]
            found = []
            for which, value in enumerate(ctx.values):
                slope = np.zeros(value.size)
                for i in range(value.size):
                    step = STEP * max(1.0, abs(float(value.flat[i])))
                    for times, weight in ((1, 8 / 12), (-1, -8 / 12), (2, -1 / 12), (-2, 1 / 12)):
                        moved = [v.copy() for v in ctx.values]
                        moved[which].flat[i] += times * step
                        parts = again([v if v.ndim else v[()] for v in moved])
                        slope[i] += (
                            weight / step * sum(float(np.sum(w * p)) for w, p in zip(wanted, parts, strict=True))
                        )
                found.append(torch.from_numpy(slope.reshape(value.shape)))
            return tuple(found)

    parts = Slope.apply(*(one.as_subclass(Tensor) for one in inputs))
    kind = type(inputs[0])
    out = [part.as_subclass(kind) if part.is_floating_point() else wrapped(part.numpy()) for part in parts]
    return type(made)(out) if several else out[0]
