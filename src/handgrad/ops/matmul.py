"""A fully connected layer without a bias."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class MatmulCache(NamedTuple):
    """What `matmul_backward` needs."""

    x: Float[Tensor, "N I"]
    weight: Float[Tensor, "I O"]


class MatmulGrads(NamedTuple):
    """Gradients of the arguments of `matmul_forward`, in their order."""

    dx: Float[Tensor, "N I"]
    dweight: Float[Tensor, "I O"]


def matmul_forward(x: Float[Tensor, "N I"], weight: Float[Tensor, "I O"]) -> tuple[Float[Tensor, "N O"], MatmulCache]:
    r"""Multiply each row by `weight`.

    $$ y_{no} = \sum_i x_{ni} \, w_{io} $$

    Args:
        x: N rows of I features.
        weight: (in, out), the transpose of `torch.nn.Linear.weight`.

    Returns:
        y, (N, O), and what `matmul_backward` needs.

    Source: makemore.py, `nn.Linear(n_embd, vocab_size, bias=False)`.

    Example:
        >>> import torch
        >>> matmul_forward(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [4.0]]))[0]
        tensor([[11.]])
    """
    return x @ weight, MatmulCache(x, weight)


def matmul_backward(dy: Float[Tensor, "N O"], cache: MatmulCache) -> MatmulGrads:
    r"""Gradients of `matmul_forward` from the cotangent `dy`, (N, O).

    Each gradient sums over the index that its argument lacks:

    $$ dx_{ni} = \sum_o dy_{no} \, w_{io}, \qquad dw_{io} = \sum_n x_{ni} \, dy_{no} $$

    Example:
        >>> import torch
        >>> _, cache = matmul_forward(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [4.0]]))
        >>> matmul_backward(torch.ones(1, 1), cache).dx
        tensor([[3., 4.]])
    """
    x, weight = cache
    return MatmulGrads(dx=dy @ weight.T, dweight=x.T @ dy)
