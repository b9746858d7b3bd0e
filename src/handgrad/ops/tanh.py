"""The hyperbolic tangent."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class TanhCache(NamedTuple):
    """What `tanh_backward` needs: the output, not the input."""

    h: Float[Tensor, "*shape"]


class TanhGrads(NamedTuple):
    """Gradient of the argument of `tanh_forward`."""

    dx: Float[Tensor, "*shape"]


def tanh_forward(x: Float[Tensor, "*shape"]) -> tuple[Float[Tensor, "*shape"], TanhCache]:
    r"""Squash each element into (−1, 1).

    $$ h = \tanh x $$

    Args:
        x: any shape.

    Returns:
        h, of the shape of `x`, and what `tanh_backward` needs.

    Source: makemore part 4, `h = torch.tanh(hpreact)`.

    Example:
        >>> import torch
        >>> tanh_forward(torch.tensor([0.0, 100.0]))[0]
        tensor([0., 1.])
    """
    h = torch.tanh(x)
    return h, TanhCache(h)


def tanh_backward(dh: Float[Tensor, "*shape"], cache: TanhCache) -> TanhGrads:
    r"""Gradient of `tanh_forward` from the cotangent `dh`.

    With $\tanh' = 1 - \tanh^2$ the output is all that is needed:

    $$ dx = (1 - h^2) \, dh $$

    Example:
        >>> import torch
        >>> _, cache = tanh_forward(torch.tensor([0.0, 100.0]))
        >>> tanh_backward(torch.tensor([2.0, 2.0]), cache).dx
        tensor([2., 0.])
    """
    (h,) = cache
    return TanhGrads((1 - h * h) * dh)
