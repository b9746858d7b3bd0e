"""The Gaussian error linear unit, by its approximation with tanh."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

_SCALE, _CUBIC = math.sqrt(2 / math.pi), 0.044715


class GELUCache(NamedTuple):
    """What `gelu_backward` needs."""

    x: Float[Tensor, "*shape"]
    t: Float[Tensor, "*shape"]


class GELUGrads(NamedTuple):
    """Gradient of the argument of `gelu_forward`."""

    dx: Float[Tensor, "*shape"]


def gelu_forward(x: Float[Tensor, "*shape"]) -> tuple[Float[Tensor, "*shape"], GELUCache]:
    r"""Weigh each number by the probability that a normal one is smaller, approximately.

    $$ y = \tfrac12 x (1 + t), \qquad t = \tanh u, \qquad u = \sqrt{2/\pi} \, (x + 0.044715 \, x^3) $$

    Args:
        x: any shape.

    Returns:
        y, of the shape of `x`, and what `gelu_backward` needs.

    Source: Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", arXiv:1606.08415, sec. 2; makemore.py, `NewGELU`.

    Example:
        >>> import torch
        >>> gelu_forward(torch.tensor([0.0, 10.0]))[0]
        tensor([ 0., 10.])
    """
    t = torch.tanh(_SCALE * (x + _CUBIC * x**3))
    return 0.5 * x * (1 + t), GELUCache(x, t)


def gelu_backward(dy: Float[Tensor, "*shape"], cache: GELUCache) -> GELUGrads:
    r"""Gradient of `gelu_forward` from the cotangent `dy`.

    `x` reaches y as a factor and through t, whose derivative needs t alone:

    $$ dx = \tfrac12 \bigl( 1 + t + x \, (1 - t^2) \, u' \bigr) \, dy, \qquad
       u' = \sqrt{2/\pi} \, (1 + 3 \cdot 0.044715 \, x^2) $$

    Example:
        >>> import torch
        >>> _, cache = gelu_forward(torch.tensor([0.0, 10.0]))
        >>> gelu_backward(torch.ones(2), cache).dx
        tensor([0.5000, 1.0000])
    """
    x, t = cache
    du = _SCALE * (1 + 3 * _CUBIC * x * x)
    return GELUGrads(0.5 * (1 + t + x * (1 - t * t) * du) * dy)
