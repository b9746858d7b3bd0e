"""Layer normalisation with a learned gain and bias."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class LayerNormCache(NamedTuple):
    """What `layernorm_backward` needs."""

    gain: Float[Tensor, " D"]
    raw: Float[Tensor, "N D"]
    std_inv: Float[Tensor, "N 1"]


class LayerNormGrads(NamedTuple):
    """Gradients of the arguments of `layernorm_forward`, in their order."""

    dx: Float[Tensor, "N D"]
    dgain: Float[Tensor, " D"]
    dbias: Float[Tensor, " D"]


def layernorm_forward(
    x: Float[Tensor, "N D"], gain: Float[Tensor, " D"], bias: Float[Tensor, " D"], eps: float = 1e-5
) -> tuple[Float[Tensor, "N D"], LayerNormCache]:
    r"""Normalise each row over its features, then scale by `gain` and shift by `bias`.

    $$ \mu_n = \tfrac1D \sum_d x_{nd}, \qquad s_n = \bigl( \tfrac1D \sum_d (x_{nd} - \mu_n)^2 + \epsilon \bigr)^{-1/2},
       \qquad \hat x = (x - \mu) \, s, \qquad y = g \, \hat x + b $$

    The variance is divided by D, without Bessel's correction, as in the paper and in PyTorch.

    Args:
        x: N rows of D features.
        gain: one factor a feature.
        bias: one shift a feature.
        eps: keeps the root away from zero.

    Returns:
        y, (N, D), and what `layernorm_backward` needs.

    Source: Ba, Kiros and Hinton 2016, "Layer Normalization", arXiv:1607.06450, eq. 4; makemore.py, `nn.LayerNorm`.

    Example:
        >>> import torch
        >>> layernorm_forward(torch.tensor([[1.0, 3.0]]), torch.ones(2), torch.zeros(2), eps=0.0)[0]
        tensor([[-1.,  1.]])
    """
    diff = x - x.mean(1, keepdim=True)
    std_inv = (diff.square().mean(1, keepdim=True) + eps).rsqrt()
    raw = diff * std_inv
    return gain * raw + bias, LayerNormCache(gain, raw, std_inv)


def layernorm_backward(dy: Float[Tensor, "N D"], cache: LayerNormCache) -> LayerNormGrads:
    r"""Gradients of `layernorm_forward` from the cotangent `dy`, (N, D).

    As for batch norm, but along a row: `x` reaches y directly, through μ and through s. With $u = g \, dy$,

    $$ dx_{nd} = s_n \bigl( u_{nd} - \tfrac1D \sum_k u_{nk} - \tfrac1D \, \hat x_{nd} \sum_k u_{nk} \hat x_{nk} \bigr),
       \qquad dg_d = \sum_n dy_{nd} \, \hat x_{nd}, \qquad db_d = \sum_n dy_{nd} $$

    Example:
        >>> import torch
        >>> _, cache = layernorm_forward(torch.randn(5, 3), torch.ones(3), torch.zeros(3))
        >>> bool(layernorm_backward(torch.randn(5, 3), cache).dx.sum(1).abs().max() < 1e-5)
        True
    """
    gain, raw, std_inv = cache
    u = gain * dy
    dx = std_inv * (u - u.mean(1, keepdim=True) - raw * (u * raw).mean(1, keepdim=True))
    return LayerNormGrads(dx, dgain=(dy * raw).sum(0), dbias=dy.sum(0))
