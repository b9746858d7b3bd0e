"""The rectified linear unit."""

from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor


class ReLUCache(NamedTuple):
    """What `relu_backward` needs: where the input was positive."""

    positive: Bool[Tensor, "*shape"]


class ReLUGrads(NamedTuple):
    """Gradient of the argument of `relu_forward`."""

    dx: Float[Tensor, "*shape"]


def relu_forward(x: Float[Tensor, "*shape"]) -> tuple[Float[Tensor, "*shape"], ReLUCache]:
    r"""Keep what is positive.

    $$ y = \max(x, 0) $$

    Args:
        x: any shape.

    Returns:
        y, of the shape of `x`, and what `relu_backward` needs.

    Source: Nair and Hinton 2010, "Rectified Linear Units Improve Restricted Boltzmann Machines", sec. 2.

    Example:
        >>> import torch
        >>> relu_forward(torch.tensor([-1.0, 2.0]))[0]
        tensor([0., 2.])
    """
    return x.clamp(min=0), ReLUCache(x > 0)


def relu_backward(dy: Float[Tensor, "*shape"], cache: ReLUCache) -> ReLUGrads:
    r"""Gradient of `relu_forward` from the cotangent `dy`.

    At 0, where there is no derivative, it is 0, as in PyTorch:

    $$ dx = [x > 0] \, dy $$

    Example:
        >>> import torch
        >>> _, cache = relu_forward(torch.tensor([-1.0, 2.0]))
        >>> relu_backward(torch.tensor([5.0, 5.0]), cache).dx
        tensor([0., 5.])
    """
    return ReLUGrads(dy * cache.positive)
