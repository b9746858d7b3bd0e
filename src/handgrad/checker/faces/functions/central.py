"""The derivative of a function that autograd cannot follow, such as one in NumPy, by central differences."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from handgrad.checker.run.machine import InDouble
from handgrad.checker.run.values import copy_values, is_float

STEP = 1e-5
MOST_ELEMENTS = 2048
"""Each element takes two calls."""


class ByDifferences:
    """A function in Python that autograd can differentiate, whatever it does inside.

    f'(x) v = (f(x + h v) - f(x - h v)) / 2h, with an error of the order of h**2, in float64.

    Example:
        >>> import numpy as np
        >>> sine = ByDifferences(lambda x: torch.from_numpy(np.sin(x.numpy())))
        >>> x = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
        >>> sine(x).backward()
        >>> torch.allclose(x.grad, x.detach().cos())
        True
    """

    def __init__(self, function: Callable):
        """Keep the function."""
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it, and connect each float tensor in its result with those among the arguments."""
        given = copy_values({"args": args, "kwargs": kwargs}, lambda tensor: tensor)
        inputs = _floats(given)
        with torch.no_grad():
            result = self.function(*(_detached(a) for a in args), **{n: _detached(a) for n, a in kwargs.items()})
        made = _floats(result)
        if not inputs or not made:
            return result
        connected = iter(_Differences.apply(self._evaluated(given), len(inputs), *inputs, *made))
        return copy_values({"": result}, lambda _: next(connected))[""]

    def _evaluated(self, given: dict[str, Any]) -> Callable[[list[Tensor]], list[Tensor]]:
        """The float tensors in the result, as a function of those among the arguments; what they hold is spared."""

        def evaluated(inputs: list[Tensor]) -> list[Tensor]:
            changed = iter(inputs)
            now = copy_values(given, lambda _: next(changed).clone())
            with torch.no_grad(), InDouble():
                return _floats(self.function(*now["args"], **now["kwargs"]))

        return evaluated

    def is_smooth(self, *args: Any, **kwargs: Any) -> bool:
        """Whether two steps of different lengths give the same slope, which rounding in the function prevents."""
        given = {"args": args, "kwargs": kwargs}
        evaluated, inputs = self._evaluated(given), [t.detach().double() for t in _floats(given)]
        generator = torch.Generator().manual_seed(5)
        directions = [torch.randn(t.shape, generator=generator, dtype=torch.float64) for t in inputs]
        slopes = []
        for step in (STEP, 4 * STEP):
            ends = [evaluated([t + s * d for t, d in zip(inputs, directions, strict=True)]) for s in (step, -step)]
            slopes.append([(up - down) / (2 * step) for up, down in zip(*ends, strict=True)])
        pairs = list(zip(*slopes, strict=True))
        return all(float((a - b).abs().max()) <= 1e-6 * max(1.0, float(a.abs().max())) for a, b in pairs if a.numel())


class _Differences(torch.autograd.Function):
    """`made` as a function of `inputs`."""

    @staticmethod
    def forward(ctx: Any, evaluated: Callable, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.evaluated, ctx.inputs = evaluated, [t.detach().double() for t in tensors[:count]]
        return tuple(t.clone() for t in tensors[count:])

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        found = []
        for tensor in ctx.inputs:
            gradient = torch.zeros(tensor.numel(), dtype=torch.float64)
            elements = tensor.reshape(-1)
            for i in range(tensor.numel()):
                step = STEP * max(1.0, abs(float(elements[i])))
                sides = []
                for sign in (1, -1):
                    moved = elements.clone()
                    moved[i] += sign * step
                    inputs = [moved.reshape(t.shape) if t is tensor else t for t in ctx.inputs]
                    sides.append(ctx.evaluated(inputs))
                changes = [(up - down) / (2 * step) for up, down in zip(*sides, strict=True)]
                gradient[i] = sum(float((g.double() * c).sum()) for g, c in zip(upstream, changes, strict=True))
            found.append(gradient.reshape(tensor.shape))
        return None, None, *found, *(None for _ in upstream)


def _floats(value: Any) -> list[Tensor]:
    found: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    copy_values({"": value}, keep)
    return found


def _detached(value: Any) -> Any:
    return value.detach() if is_float(value) else value
