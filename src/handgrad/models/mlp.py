"""The lecture's network in torch: operations put together into forward and backward, every gradient by hand."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from handgrad import ops

Parameters = Mapping[str, Tensor]


class MLPCache(NamedTuple):
    """What `backward` needs from `forward`: the cache of each operation, and the shape of `emb`."""

    embedding: ops.EmbeddingCache
    emb_shape: torch.Size
    linear1: ops.LinearCache
    batchnorm: ops.BatchNormCache
    tanh: ops.TanhCache
    linear2: ops.LinearCache
    cross_entropy: ops.CrossEntropyCache


def forward(parameters: Parameters, Xb: Tensor, Yb: Tensor) -> tuple[Tensor, MLPCache]:
    """Mean loss of a minibatch, with batch norm over the batch.

    Args:
        parameters: the seven parameters by name, shapes as in `MLPConfig.shapes`.
        Xb: (N, block_size) integers, the contexts; N is at least 2.
        Yb: (N,) integers, the characters that follow.

    Returns:
        The loss, () in nats, and the cache for `backward`.

    Source: lecture, exercise 4.
    """
    p = parameters
    emb, embedding = ops.embedding_forward(p["C"], Xb)
    hprebn, linear1 = ops.linear_forward(emb.view(emb.shape[0], -1), p["W1"], p["b1"])
    hpreact, batchnorm = ops.batchnorm_forward(hprebn, p["bngain"], p["bnbias"])
    h, tanh = ops.tanh_forward(hpreact)
    logits, linear2 = ops.linear_forward(h, p["W2"], p["b2"])
    loss, cross_entropy = ops.cross_entropy_forward(logits, Yb)
    return loss, MLPCache(embedding, emb.shape, linear1, batchnorm, tanh, linear2, cross_entropy)


def backward(dloss: Tensor, cache: MLPCache) -> dict[str, Tensor]:
    """Gradients of the seven parameters, each by its closed form, from the cotangent `dloss`, ().

    Source: lecture, exercise 4.
    """
    (dlogits,) = ops.cross_entropy_backward(dloss, cache.cross_entropy)
    dh, dW2, db2 = ops.linear_backward(dlogits, cache.linear2)
    (dhpreact,) = ops.tanh_backward(dh, cache.tanh)
    dhprebn, dbngain, dbnbias = ops.batchnorm_backward(dhpreact, cache.batchnorm)
    dembcat, dW1, db1 = ops.linear_backward(dhprebn, cache.linear1)
    (dC,) = ops.embedding_backward(dembcat.view(cache.emb_shape), cache.embedding)
    return {"C": dC, "W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "bngain": dbngain, "bnbias": dbnbias}


def hidden_preactivation(parameters: Parameters, X: Tensor) -> Tensor:
    """`hprebn`, (N, n_hidden): what batch norm is applied to, and so what its statistics are measured on."""
    emb, _ = ops.embedding_forward(parameters["C"], X)
    return ops.linear_forward(emb.view(emb.shape[0], -1), parameters["W1"], parameters["b1"])[0]


def logits(parameters: Parameters, bnmean: Tensor, bnvar: Tensor, X: Tensor) -> Tensor:
    """Scores of the next character, (N, vocab_size), with batch norm on fixed statistics, each (1, n_hidden).

    Source: lecture, `split_loss`.
    """
    p = parameters
    hprebn = hidden_preactivation(p, X)
    hpreact = ops.batchnorm_inference(hprebn, p["bngain"], p["bnbias"], bnmean, bnvar)
    h, _ = ops.tanh_forward(hpreact)
    return ops.linear_forward(h, p["W2"], p["b2"])[0]
