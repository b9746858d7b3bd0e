"""Batch normalisation with a learned gain and bias."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from handgrad.ops.broadcast import unbroadcast

Total = Callable[[Tensor], Tensor]
"""The sum of a tensor over all that have a share of the batch."""


def _all_here(x: Tensor) -> Tensor:
    """The total of what is all here: itself."""
    return x


class BatchNormCache(NamedTuple):
    """What the backwards need, in the lecture's words; and how many rows the whole batch has, and its sums."""

    gain: Float[Tensor, "1 D"]
    bnmeani: Float[Tensor, "1 D"]
    bndiff: Float[Tensor, "N D"]
    bnvar: Float[Tensor, "1 D"]
    bnvar_inv: Float[Tensor, "1 D"]
    bnraw: Float[Tensor, "N D"]
    eps: float
    n: int
    total: Total


class BatchNormGrads(NamedTuple):
    """Gradients of the arguments of `batchnorm_forward`, in their order."""

    dx: Float[Tensor, "N D"]
    dgain: Float[Tensor, "1 D"]
    dbias: Float[Tensor, "1 D"]


def batchnorm_forward(
    x: Float[Tensor, "N D"],
    gain: Float[Tensor, "1 D"],
    bias: Float[Tensor, "1 D"],
    eps: float = 1e-5,
    n: int | None = None,
    total: Total = _all_here,
) -> tuple[Float[Tensor, "N D"], BatchNormCache]:
    r"""Normalise each feature over the batch, then scale by `gain` and shift by `bias`.

    $$ \mu = \tfrac1N \sum_n x_n, \qquad \sigma^2 = \tfrac{1}{N-1} \sum_n (x_n - \mu)^2, \qquad
       \hat x = (x - \mu) (\sigma^2 + \epsilon)^{-1/2}, \qquad y = g \, \hat x + b $$

    The variance has Bessel's correction (N−1), as in the lecture; the paper and `torch.nn.BatchNorm1d` use N. It is
    summed after the mean is known, since a difference of two large sums would cancel in float32.

    Args:
        x: N ≥ 2 rows of D features; or a share of them, N of the batch's n.
        gain: one factor a feature, (1, D).
        bias: one shift a feature, (1, D).
        eps: keeps the root away from zero.
        n: how many rows the whole batch has, where others have the rest; None where all are here.
        total: the sum of a (1, D) over all who have a share of the batch; they call it as often as this does.

    Returns:
        y, (N, D), and what the backwards need, with the batch's mean and variance as `bnmeani` and `bnvar`.

    Errors:
        ZeroDivisionError where the batch is one row: it has no variance.

    Source: Ioffe and Szegedy 2015, "Batch Normalization", arXiv:1502.03167, algorithm 1; makemore part 4.

    Example:
        >>> import torch
        >>> x, gain, bias = torch.tensor([[1.0], [2.0], [3.0]]), torch.ones(1, 1), torch.zeros(1, 1)
        >>> batchnorm_forward(x, gain, bias, eps=0.0)[0].T
        tensor([[-1.,  0.,  1.]])
    """
    n = x.shape[0] if n is None else n
    bnmeani = total(x.sum(0, keepdim=True)) / n
    bndiff = x - bnmeani
    bnvar = total((bndiff * bndiff).sum(0, keepdim=True)) * (1 / (n - 1))
    bnvar_inv = (bnvar + eps).rsqrt()
    bnraw = bndiff * bnvar_inv
    return gain * bnraw + bias, BatchNormCache(gain, bnmeani, bndiff, bnvar, bnvar_inv, bnraw, eps, n, total)


def batchnorm_backward(dout: Float[Tensor, "N D"], cache: BatchNormCache) -> BatchNormGrads:
    r"""Gradients of `batchnorm_forward` from the cotangent `dout`, (N, D), in closed form.

    `x` reaches y three times: directly, through μ and through σ². The last two are sums over the batch that
    `dbias` and `dgain` need as well:

    $$ dx = g \, (\sigma^2 + \epsilon)^{-1/2} \Bigl( dy - \tfrac1N \sum_m dy_m
            - \tfrac{1}{N-1} \, \hat x \sum_m dy_m \hat x_m \Bigr) $$

    Of a share of the batch these two are summed over all shares for `dx`, in one call of `total`; `dgain` and `dbias`
    stay the sums over the rows that are here.

    Source: makemore part 4, exercise 3.

    Example:
        >>> import torch
        >>> x, gain, bias = torch.tensor([[1.0], [2.0], [4.0]]), torch.ones(1, 1), torch.zeros(1, 1)
        >>> _, cache = batchnorm_forward(x, gain, bias)
        >>> batchnorm_backward(torch.ones(3, 1), cache).dbias
        tensor([[3.]])
    """
    n = cache.n
    dbias = dout.sum(0, keepdim=True)
    dgain = (dout * cache.bnraw).sum(0, keepdim=True)
    of_all_dbias, of_all_dgain = cache.total(torch.cat([dbias, dgain])).split(1)
    dx = cache.gain * cache.bnvar_inv * (dout - of_all_dbias / n - cache.bnraw * (of_all_dgain / (n - 1)))
    return BatchNormGrads(dx, dgain, dbias)


def batchnorm_backward_stepwise(dout: Float[Tensor, "N D"], cache: BatchNormCache) -> BatchNormGrads:
    """The gradients of `batchnorm_backward` of a whole batch, line by line: each undoes the forward line it quotes.

    Source: makemore part 4, exercise 1.

    Example:
        >>> import torch
        >>> x, gain, bias = torch.tensor([[1.0], [2.0], [4.0]]), torch.ones(1, 1), torch.zeros(1, 1)
        >>> _, cache = batchnorm_forward(x, gain, bias)
        >>> batchnorm_backward_stepwise(torch.ones(3, 1), cache).dbias
        tensor([[3.]])
    """
    gain, bnmeani, bndiff, bnvar, bnvar_inv, bnraw, eps, n, _ = cache
    # hpreact = bngain * bnraw + bnbias
    dgain = unbroadcast(bnraw * dout, gain.shape)
    dbias = unbroadcast(dout, gain.shape)
    dbnraw = gain * dout
    # bnraw = bndiff * bnvar_inv
    dbndiff = bnvar_inv * dbnraw
    dbnvar_inv = unbroadcast(bndiff * dbnraw, bnvar_inv.shape)
    # bnvar_inv = (bnvar + eps)**-0.5
    dbnvar = -0.5 * (bnvar + eps) ** -1.5 * dbnvar_inv
    # bnvar = 1/(n-1) * bndiff2.sum(0, keepdim=True)
    dbndiff2 = 1 / (n - 1) * torch.ones_like(bndiff) * dbnvar
    # bndiff2 = bndiff**2: the second use of bndiff
    dbndiff = dbndiff + 2 * bndiff * dbndiff2
    # bndiff = hprebn - bnmeani
    dbnmeani = unbroadcast(-dbndiff, bnmeani.shape)
    # bnmeani = 1/n * hprebn.sum(0, keepdim=True): the second use of hprebn
    dx = dbndiff + 1 / n * dbnmeani
    return BatchNormGrads(dx, dgain, dbias)


def batchnorm_inference(
    x: Float[Tensor, "N D"],
    gain: Float[Tensor, "1 D"],
    bias: Float[Tensor, "1 D"],
    mean: Float[Tensor, "1 D"],
    var: Float[Tensor, "1 D"],
    eps: float = 1e-5,
) -> Float[Tensor, "N D"]:
    r"""Normalise with a given mean and variance, measured over the training set, so that N may be 1.

    $$ y = g \, (x - \mu) (\sigma^2 + \epsilon)^{-1/2} + b $$

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 2; makemore part 4.

    Example:
        >>> import torch
        >>> x, one, zero = torch.tensor([[5.0]]), torch.ones(1, 1), torch.zeros(1, 1)
        >>> batchnorm_inference(x, gain=one, bias=zero, mean=3 * one, var=4 * one, eps=0.0)
        tensor([[1.]])
    """
    return gain * (x - mean) * (var + eps).rsqrt() + bias
