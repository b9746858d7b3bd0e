"""The lecture's network: a multilayer perceptron over the last characters, every gradient by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import handgrad
from handgrad.models.family import WHOLE, Masks, Normal, OfContexts, Share, Values

if TYPE_CHECKING:
    from torch import Size, Tensor

    from handgrad import ops

PARAMETERS = ("C", "W1", "b1", "W2", "b2", "bngain", "bnbias")


@dataclass(frozen=True)
class MLP(OfContexts):
    """Sizes of the lecture's network: a multilayer perceptron over the last `block_size` characters.

    Args:
        vocab_size: distinct characters, plus one for the boundary of a line.
        block_size: characters of context.
        n_embd: features of a character's embedding.
        n_hidden: units of the hidden layer.

    Raises:
        ConfigError: a size is not a positive integer.

    Source: Bengio et al. 2003, "A Neural Probabilistic Language Model", sec. 2; lecture, cell 6.

    Example:
        >>> MLP(vocab_size=27, n_hidden=64).n_parameters
        4137
    """

    name = "mlp"
    title = "multilayer perceptron over the last characters, with batch norm"
    smallest_batch = 2

    block_size: int = 3
    n_embd: int = 10
    n_hidden: int = 200

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter, in the order in which the lecture draws them."""
        return {
            "C": (self.vocab_size, self.n_embd),
            "W1": (self.n_embd * self.block_size, self.n_hidden),
            "b1": (self.n_hidden,),
            "W2": (self.n_hidden, self.vocab_size),
            "b2": (self.vocab_size,),
            "bngain": (1, self.n_hidden),
            "bnbias": (1, self.n_hidden),
        }

    @property
    def buffer_shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Mean and variance of `hprebn` over the training split."""
        return {"bnmean": (1, self.n_hidden), "bnvar": (1, self.n_hidden)}

    def initial(self, normal: Normal) -> dict[str, Any]:
        """The lecture's initial values: small and nowhere zero, since zeros hide mistakes in a gradient.

        Source: lecture, cell 6; the gain 5/3 of tanh over the root of the fan-in is He et al. 2015, eq. 10.

        Example:
            >>> import numpy as np
            >>> parameters = MLP(27).initial(lambda name, shape: np.ones(shape))
            >>> parameters["bngain"].shape, float(parameters["b2"][0])
            ((1, 200), 0.1)
        """
        shapes = self.shapes
        return {
            "C": normal("C", shapes["C"]),
            "W1": normal("W1", shapes["W1"]) * (5 / 3) / ((self.n_embd * self.block_size) ** 0.5),
            "b1": normal("b1", shapes["b1"]) * 0.1,
            "W2": normal("W2", shapes["W2"]) * 0.1,
            "b2": normal("b2", shapes["b2"]) * 0.1,
            "bngain": normal("bngain", shapes["bngain"]) * 0.1 + 1.0,
            "bnbias": normal("bnbias", shapes["bnbias"]) * 0.1,
        }

    def forward(
        self, parameters: Values, X: Tensor, Y: Tensor, masks: Masks | None = None, share: Share = WHOLE  # noqa: ARG002
    ) -> tuple[Tensor, MLPCache]:  # fmt: skip
        """Mean loss of a minibatch; see `forward` of this module. It drops nothing."""
        return forward(parameters, X, Y, share)

    def backward(self, dloss: Tensor, cache: MLPCache) -> dict[str, Tensor]:
        """Gradients of the seven parameters."""
        return backward(dloss, cache)

    def logits(self, values: Values, X: Tensor) -> Tensor:
        """Scores of the next character, (N, vocab_size), with batch norm on the statistics among the values."""
        return logits(values, values["bnmean"], values["bnvar"], X)

    def measured(self, values: Values, X: Tensor) -> dict[str, Tensor]:
        """Mean and variance of `hprebn`."""
        hprebn = hidden_preactivation(values, X)
        return {"bnmean": hprebn.mean(0, keepdim=True), "bnvar": hprebn.var(0, keepdim=True)}


class MLPCache(NamedTuple):
    """What `backward` needs from `forward`: the cache of each operation, and the shape of `emb`."""

    embedding: ops.EmbeddingCache
    emb_shape: Size
    linear1: ops.LinearCache
    batchnorm: ops.BatchNormCache
    tanh: ops.TanhCache
    linear2: ops.LinearCache
    cross_entropy: ops.CrossEntropyCache


def forward(parameters: Values, Xb: Tensor, Yb: Tensor, share: Share = WHOLE) -> tuple[Tensor, MLPCache]:
    """Mean loss of a minibatch, with batch norm over the batch.

    Args:
        parameters: the seven parameters by name, shapes as in `MLP.shapes`.
        Xb: (N, block_size) integers, the contexts; N is at least 2.
        Yb: (N,) integers, the characters that follow.
        share: what of the batch these are; then N may be 1.

    Returns:
        The loss, () in nats, and the cache for `backward`.

    Source: lecture, exercise 4.
    """
    p, ops = parameters, handgrad.ops
    emb, embedding = ops.embedding_forward(p["C"], Xb)
    hprebn, linear1 = ops.linear_forward(emb.view(emb.shape[0], -1), p["W1"], p["b1"])
    of_all = {"n": share.rows(hprebn.shape[0]), "total": share.total}
    hpreact, batchnorm = ops.batchnorm_forward(hprebn, p["bngain"], p["bnbias"], **of_all)
    h, tanh = ops.tanh_forward(hpreact)
    logits, linear2 = ops.linear_forward(h, p["W2"], p["b2"])
    loss, cross_entropy = ops.cross_entropy_forward(logits, Yb)
    return loss, MLPCache(embedding, emb.shape, linear1, batchnorm, tanh, linear2, cross_entropy)


def backward(dloss: Tensor, cache: MLPCache) -> dict[str, Tensor]:
    """Gradients of the seven parameters, each by its closed form, from the cotangent `dloss`, ().

    Source: lecture, exercise 4.
    """
    ops = handgrad.ops
    (dlogits,) = ops.cross_entropy_backward(dloss, cache.cross_entropy)
    dh, dW2, db2 = ops.linear_backward(dlogits, cache.linear2)
    (dhpreact,) = ops.tanh_backward(dh, cache.tanh)
    dhprebn, dbngain, dbnbias = ops.batchnorm_backward(dhpreact, cache.batchnorm)
    dembcat, dW1, db1 = ops.linear_backward(dhprebn, cache.linear1)
    (dC,) = ops.embedding_backward(dembcat.view(cache.emb_shape), cache.embedding)
    return {"C": dC, "W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "bngain": dbngain, "bnbias": dbnbias}


def hidden_preactivation(parameters: Values, X: Tensor) -> Tensor:
    """`hprebn`, (N, n_hidden): what batch norm is applied to, and so what its statistics are measured on."""
    emb, _ = handgrad.ops.embedding_forward(parameters["C"], X)
    return handgrad.ops.linear_forward(emb.view(emb.shape[0], -1), parameters["W1"], parameters["b1"])[0]


def logits(parameters: Values, bnmean: Tensor, bnvar: Tensor, X: Tensor) -> Tensor:
    """Scores of the next character, (N, vocab_size), with batch norm on fixed statistics, each (1, n_hidden).

    Source: lecture, `split_loss`.
    """
    p, ops = parameters, handgrad.ops
    hprebn = hidden_preactivation(p, X)
    hpreact = ops.batchnorm_inference(hprebn, p["bngain"], p["bnbias"], bnmean, bnvar)
    h, _ = ops.tanh_forward(hpreact)
    return ops.linear_forward(h, p["W2"], p["b2"])[0]
