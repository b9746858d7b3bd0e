"""Softmax cross-entropy, averaged over the batch."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from handgrad.ops.broadcast import unbroadcast


class CrossEntropyCache(NamedTuple):
    """What the backwards need."""

    logits: Float[Tensor, "N V"]
    targets: Int[Tensor, " N"]
    logprobs: Float[Tensor, "N V"]


class CrossEntropyGrads(NamedTuple):
    """Gradient of the logits; targets have none."""

    dlogits: Float[Tensor, "N V"]


def cross_entropy_forward(
    logits: Float[Tensor, "N V"], targets: Int[Tensor, " N"]
) -> tuple[Float[Tensor, ""], CrossEntropyCache]:
    r"""Mean negative log-probability, in nats, that softmax gives to the targets.

    $$ \ell = -\tfrac1N \sum_n \log p_{n t_n}, \qquad \log p_{nv} = z_{nv} - m_n - \log \sum_k e^{z_{nk} - m_n}, \qquad
       m_n = \max_k z_{nk} $$

    The maximum changes nothing but keeps the exponential from overflowing.

    Args:
        logits: N rows of V scores.
        targets: the right class of each row, from 0 to V−1, int64.

    Returns:
        loss, a scalar, and what the backwards need.

    Errors:
        IndexError where a target is not a class; PyTorch lets −100 pass here, and the backwards refuse it.

    Source: makemore part 4, `loss = F.cross_entropy(logits, Yb)`, to which it is equal bit for bit.

    Example:
        >>> import torch
        >>> loss, _ = cross_entropy_forward(torch.zeros(2, 27), torch.tensor([0, 5]))
        >>> print(f"{loss:.4f} = log 27")
        3.2958 = log 27
    """
    logprobs = torch.log_softmax(logits, 1)
    return F.nll_loss(logprobs, targets), CrossEntropyCache(logits, targets, logprobs)


def cross_entropy_backward(dloss: Float[Tensor, ""], cache: CrossEntropyCache) -> CrossEntropyGrads:
    r"""Gradient of `cross_entropy_forward` from the cotangent `dloss`, a scalar, in closed form.

    $$ dz_{nv} = \tfrac1N \bigl( p_{nv} - [v = t_n] \bigr) \, d\ell $$

    Source: makemore part 4, exercise 2.

    Example:
        >>> import torch
        >>> _, cache = cross_entropy_forward(torch.zeros(1, 4), torch.tensor([2]))
        >>> cross_entropy_backward(torch.tensor(1.0), cache).dlogits
        tensor([[ 0.2500,  0.2500, -0.7500,  0.2500]])
    """
    _, targets, logprobs = cache
    dlogits = logprobs.exp().scatter_(1, targets.unsqueeze(1), -1.0, reduce="add")
    return CrossEntropyGrads(dlogits * (dloss / targets.shape[0]))


def cross_entropy_backward_stepwise(dloss: Float[Tensor, ""], cache: CrossEntropyCache) -> CrossEntropyGrads:
    """The gradient of `cross_entropy_backward`, line by line, through the lecture's own forward lines.

    Not for training: where a target's probability underflows to zero it divides by that zero.

    Source: makemore part 4, exercise 1.

    Example:
        >>> import torch
        >>> _, cache = cross_entropy_forward(torch.zeros(1, 4), torch.tensor([2]))
        >>> cross_entropy_backward_stepwise(torch.tensor(1.0), cache).dlogits
        tensor([[ 0.2500,  0.2500, -0.7500,  0.2500]])
    """
    logits, targets, _ = cache
    rows = torch.arange(logits.shape[0], device=logits.device)

    logit_maxes, argmaxes = logits.max(1, keepdim=True)
    norm_logits = logits - logit_maxes
    counts = norm_logits.exp()
    counts_sum = counts.sum(1, keepdim=True)
    counts_sum_inv = counts_sum**-1
    probs = counts * counts_sum_inv

    # loss = -logprobs[rows, targets].mean()
    dlogprobs = torch.zeros_like(probs)
    dlogprobs[rows, targets] = -dloss / len(rows)
    # logprobs = probs.log()
    dprobs = dlogprobs / probs
    # probs = counts * counts_sum_inv
    dcounts = counts_sum_inv * dprobs
    dcounts_sum_inv = unbroadcast(counts * dprobs, counts_sum_inv.shape)
    # counts_sum_inv = counts_sum**-1
    dcounts_sum = -(counts_sum**-2) * dcounts_sum_inv
    # counts_sum = counts.sum(1, keepdim=True): the second use of counts
    dcounts = dcounts + torch.ones_like(counts) * dcounts_sum
    # counts = norm_logits.exp()
    dnorm_logits = counts * dcounts
    # norm_logits = logits - logit_maxes
    dlogit_maxes = unbroadcast(-dnorm_logits, logit_maxes.shape)
    # logit_maxes = logits.max(1, keepdim=True).values: the second use of logits
    dlogits = dnorm_logits.scatter_add(1, argmaxes, dlogit_maxes)
    return CrossEntropyGrads(dlogits)
