"""Root-mean-square normalisation, without parameters."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class RMSNormCache(NamedTuple):
    """What `rmsnorm_backward` needs: the output, and by what each row was multiplied."""

    y: Float[Tensor, "N D"]
    rms_inv: Float[Tensor, "N 1"]


class RMSNormGrads(NamedTuple):
    """Gradient of the argument of `rmsnorm_forward`."""

    dx: Float[Tensor, "N D"]


def rmsnorm_forward(x: Float[Tensor, "N D"], eps: float = 1e-5) -> tuple[Float[Tensor, "N D"], RMSNormCache]:
    r"""Scale each row to unit root mean square.

    $$ y_{nd} = x_{nd} \, r_n, \qquad r_n = \bigl( \tfrac1D \sum_d x_{nd}^2 + \epsilon \bigr)^{-1/2} $$

    The paper's learned gain is a factor of its own, and left out here.

    Args:
        x: N rows of D features.
        eps: keeps the root away from zero.

    Returns:
        y, (N, D), and what `rmsnorm_backward` needs.

    Source: Zhang and Sennrich 2019, "Root Mean Square Layer Normalization", arXiv:1910.07467, eq. 4; microgpt.py,
    `rmsnorm`.

    Example:
        >>> import torch
        >>> rmsnorm_forward(torch.tensor([[1.0, 7.0]]), eps=0.0)[0]
        tensor([[0.2000, 1.4000]])
    """
    rms_inv = (x.square().mean(1, keepdim=True) + eps).rsqrt()
    y = x * rms_inv
    return y, RMSNormCache(y, rms_inv)


def rmsnorm_backward(dy: Float[Tensor, "N D"], cache: RMSNormCache) -> RMSNormGrads:
    r"""Gradient of `rmsnorm_forward` from the cotangent `dy`, (N, D).

    `x` reaches y directly, and through r, whose derivative is $-r^3 x_d / D$. With $y = x r$ that is

    $$ dx_{nd} = r_n \bigl( dy_{nd} - \tfrac1D \, y_{nd} \sum_k dy_{nk} \, y_{nk} \bigr) $$

    Example:
        >>> import torch
        >>> _, cache = rmsnorm_forward(torch.tensor([[1.0, 7.0]]), eps=0.0)
        >>> rmsnorm_backward(torch.tensor([[5.0, 0.0]]), cache).dx
        tensor([[ 0.9800, -0.1400]])
    """
    y, rms_inv = cache
    return RMSNormGrads(rms_inv * (dy - y * (dy * y).mean(1, keepdim=True)))
