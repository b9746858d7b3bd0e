"""A fully connected layer."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class LinearCache(NamedTuple):
    """What `linear_backward` needs."""

    x: Float[Tensor, "N I"]
    weight: Float[Tensor, "I O"]


class LinearGrads(NamedTuple):
    """Gradients of the arguments of `linear_forward`, in their order."""

    dx: Float[Tensor, "N I"]
    dweight: Float[Tensor, "I O"]
    dbias: Float[Tensor, " O"]


def linear_forward(
    x: Float[Tensor, "N I"], weight: Float[Tensor, "I O"], bias: Float[Tensor, " O"]
) -> tuple[Float[Tensor, "N O"], LinearCache]:
    r"""Multiply each row by `weight` and add `bias`.

    $$ y_{no} = \sum_i x_{ni} \, w_{io} + b_o $$

    Args:
        x: N rows of I features.
        weight: (in, out) as in the lecture, the transpose of `torch.nn.Linear.weight`.
        bias: one number an output.

    Returns:
        y, (N, O), and what `linear_backward` needs.

    Source: makemore part 4, `hprebn = embcat @ W1 + b1`.

    Example:
        >>> import torch
        >>> x, weight, bias = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [4.0]]), torch.tensor([5.0])
        >>> linear_forward(x, weight, bias)[0]
        tensor([[16.]])
    """
    return x @ weight + bias, LinearCache(x, weight)


def linear_backward(dout: Float[Tensor, "N O"], cache: LinearCache) -> LinearGrads:
    r"""Gradients of `linear_forward` from the cotangent `dout`, (N, O).

    Each gradient sums over the index that its argument lacks:

    $$ dx_{ni} = \sum_o dy_{no} \, w_{io}, \qquad dw_{io} = \sum_n x_{ni} \, dy_{no}, \qquad db_o = \sum_n dy_{no} $$

    Example:
        >>> import torch
        >>> x, weight, bias = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [4.0]]), torch.tensor([5.0])
        >>> _, cache = linear_forward(x, weight, bias)
        >>> linear_backward(torch.ones(1, 1), cache).dx
        tensor([[3., 4.]])
    """
    x, weight = cache
    return LinearGrads(dx=dout @ weight.T, dweight=x.T @ dout, dbias=dout.sum(0))
