"""The mean of all that came so far: a bag of words."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class CausalMeanCache(NamedTuple):
    """What `causal_mean_backward` needs: how many are averaged at each place."""

    count: Float[Tensor, "T 1"]


class CausalMeanGrads(NamedTuple):
    """Gradient of the argument of `causal_mean_forward`."""

    dx: Float[Tensor, "B T D"]


def causal_mean_forward(x: Float[Tensor, "B T D"]) -> tuple[Float[Tensor, "B T D"], CausalMeanCache]:
    r"""Average, at each place of a line, over that place and those before it.

    $$ y_t = \tfrac1t \sum_{s \le t} x_s, \qquad t = 1 \dots T $$

    Args:
        x: B lines of T places with D features.

    Returns:
        y, (B, T, D), and what `causal_mean_backward` needs.

    Source: makemore.py, `CausalBoW`, where it is attention with equal weights.

    Example:
        >>> import torch
        >>> causal_mean_forward(torch.tensor([[[1.0], [3.0], [8.0]]]))[0].flatten()
        tensor([1., 2., 4.])
    """
    count = torch.arange(1, x.shape[1] + 1, dtype=x.dtype, device=x.device)[:, None]
    return x.cumsum(1) / count, CausalMeanCache(count)


def causal_mean_backward(dy: Float[Tensor, "B T D"], cache: CausalMeanCache) -> CausalMeanGrads:
    r"""Gradient of `causal_mean_forward` from the cotangent `dy`, (B, T, D).

    A place has its share in every mean from there on, so the sum now runs from the end:

    $$ dx_s = \sum_{t \ge s} \tfrac1t \, dy_t $$

    Example:
        >>> import torch
        >>> _, cache = causal_mean_forward(torch.zeros(1, 2, 1))
        >>> causal_mean_backward(torch.ones(1, 2, 1), cache).dx.flatten()
        tensor([1.5000, 0.5000])
    """
    return CausalMeanGrads((dy / cache.count).flip(1).cumsum(1).flip(1))
