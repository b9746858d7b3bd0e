"""Dropout with a given mask."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class DropoutCache(NamedTuple):
    """What `dropout_backward` needs."""

    mask: Float[Tensor, "*shape"]


class DropoutGrads(NamedTuple):
    """Gradient of the argument of `dropout_forward`; a mask has none."""

    dx: Float[Tensor, "*shape"]


def dropout_forward(
    x: Float[Tensor, "*shape"], mask: Float[Tensor, "*shape"]
) -> tuple[Float[Tensor, "*shape"], DropoutCache]:
    r"""Drop what the mask drops, and scale up the rest, so that the expectation stays what it was.

    $$ y = m \, x, \qquad m = \begin{cases} 0 & \text{with probability } p \\ 1 / (1 - p) & \text{else} \end{cases} $$

    The mask is drawn by whoever calls, since an operation has no randomness of its own.

    Args:
        x: any shape.
        mask: of the shape of `x`, 0 or 1 / (1 − p).

    Returns:
        y, of the shape of `x`, and what `dropout_backward` needs.

    Source: Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", sec. 4 and 10.

    Example:
        >>> import torch
        >>> dropout_forward(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 2.0]))[0]
        tensor([0., 4.])
    """
    return x * mask, DropoutCache(mask)


def dropout_backward(dy: Float[Tensor, "*shape"], cache: DropoutCache) -> DropoutGrads:
    r"""Gradient of `dropout_forward` from the cotangent `dy`: what was dropped gets none.

    $$ dx = m \, dy $$

    Example:
        >>> import torch
        >>> _, cache = dropout_forward(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 2.0]))
        >>> dropout_backward(torch.tensor([3.0, 3.0]), cache).dx
        tensor([0., 6.])
    """
    return DropoutGrads(dy * cache.mask)
