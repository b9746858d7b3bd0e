"""Causal attention with several heads."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class AttentionCache(NamedTuple):
    """What `attention_backward` needs, with the heads apart."""

    q: Float[Tensor, "B H T K"]
    k: Float[Tensor, "B H T K"]
    v: Float[Tensor, "B H T K"]
    weights: Float[Tensor, "B H T T"]


class AttentionGrads(NamedTuple):
    """Gradients of the arguments of `attention_forward`, in their order; the number of heads has none."""

    dq: Float[Tensor, "B T D"]
    dk: Float[Tensor, "B T D"]
    dv: Float[Tensor, "B T D"]


def attention_forward(
    q: Float[Tensor, "B T D"], k: Float[Tensor, "B T D"], v: Float[Tensor, "B T D"], n_head: int
) -> tuple[Float[Tensor, "B T D"], AttentionCache]:
    r"""At each place of a line take a mean of the values so far, weighted by how well their keys fit the query.

    For each head, with its K = D / H features,

    $$ s_{tu} = \tfrac{1}{\sqrt K} \, q_t \cdot k_u, \qquad p_{tu} = \frac{e^{s_{tu}}}{\sum_{w \le t} e^{s_{tw}}}
       \;\; (u \le t), \qquad y_t = \sum_{u \le t} p_{tu} \, v_u $$

    Args:
        q: queries of B lines of T places, D features.
        k: keys.
        v: values.
        n_head: H, how many heads share the features, each taking D / H in a row.

    Returns:
        y, (B, T, D), and what `attention_backward` needs.

    Errors:
        RuntimeError where D is not a multiple of `n_head`.

    Source: Vaswani et al. 2017, "Attention Is All You Need", arXiv:1706.03762, eq. 1; makemore.py,
    `CausalSelfAttention`.

    Example:
        >>> import torch
        >>> v = torch.tensor([[[1.0, 0.0], [3.0, 4.0]]])
        >>> attention_forward(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2), v, n_head=2)[0]
        tensor([[[1., 0.],
                 [2., 2.]]])
    """
    q, k, v = (_apart(x, n_head) for x in (q, k, v))
    future = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool, device=q.device).triu(1)
    scores = (q @ k.mT) / q.shape[3] ** 0.5
    weights = scores.masked_fill(future, -torch.inf).softmax(3)
    return _together(weights @ v), AttentionCache(q, k, v, weights)


def attention_backward(dy: Float[Tensor, "B T D"], cache: AttentionCache) -> AttentionGrads:
    r"""Gradients of `attention_forward` from the cotangent `dy`, (B, T, D).

    The forward reversed; the middle line is the backward of softmax, and a weight that is 0 has no gradient to give:

    $$ dv_u = \sum_t p_{tu} \, dy_t, \qquad dp_{tu} = dy_t \cdot v_u, \qquad
       ds_{tu} = p_{tu} \bigl( dp_{tu} - \sum_w p_{tw} \, dp_{tw} \bigr), $$

    $$ dq_t = \tfrac{1}{\sqrt K} \sum_u ds_{tu} \, k_u, \qquad dk_u = \tfrac{1}{\sqrt K} \sum_t ds_{tu} \, q_t $$

    Example:
        >>> import torch
        >>> _, cache = attention_forward(*torch.zeros(3, 1, 2, 1), n_head=1)
        >>> attention_backward(torch.ones(1, 2, 1), cache).dv.flatten()
        tensor([1.5000, 0.5000])
    """
    q, k, v, weights = cache
    dy_apart = _apart(dy, q.shape[1])
    dv = weights.mT @ dy_apart
    dweights = dy_apart @ v.mT
    # weights = scores.softmax(3)
    dscores = weights * (dweights - (weights * dweights).sum(3, keepdim=True))
    # scores = (q @ k.mT) / K**0.5
    dscores = dscores / q.shape[3] ** 0.5
    return AttentionGrads(*map(_together, (dscores @ k, dscores.mT @ q, dv)))


def _apart(x: Tensor, n_head: int) -> Tensor:
    """(B, T, D) as (B, H, T, K)."""
    return x.unflatten(2, (n_head, -1)).transpose(1, 2)


def _together(x: Tensor) -> Tensor:
    """(B, H, T, K) as (B, T, D)."""
    return x.transpose(1, 2).flatten(2)
