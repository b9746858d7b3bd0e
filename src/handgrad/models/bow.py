"""A bag of words: the next character from the mean of all before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import handgrad
from handgrad.models.family import WHOLE, Masks, Normal, OfLines, Share, State, Values, real_places, scaled

if TYPE_CHECKING:
    from torch import Tensor

    from handgrad import ops


@dataclass(frozen=True)
class BoW(OfLines):
    """The embedding of the last character plus the mean of all so far, and a multilayer perceptron on top.

    Args:
        vocab_size: distinct characters, plus one for the boundary of a line.
        block_size: the most characters of a line, its end included; each place has an embedding of its own.
        n_embd: features of the embeddings.
        n_hidden: units of the hidden layer.

    Source: makemore.py, `BoW` with `BoWBlock`.

    Example:
        >>> BoW(vocab_size=27, block_size=16, n_embd=64, n_hidden=64).n_parameters
        12827
    """

    name = "bow"
    title = "the mean of all characters so far"
    recipe = {  # noqa: RUF012
        "steps": 8_000, "batch_size": 32, "block_size": 0, "n_embd": 64, "n_hidden": 64, "lr": 0.003,
        "weight_decay": 0.01,
    }  # fmt: skip

    block_size: int = 16
    n_embd: int = 64
    n_hidden: int = 64

    @property
    def longest(self) -> int:
        """As many places as have embeddings."""
        return self.block_size

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Embeddings of characters and of places, the two layers, and that of the scores."""
        return {
            "C": (self.vocab_size, self.n_embd),
            "P": (self.block_size, self.n_embd),
            "W1": (self.n_embd, self.n_hidden),
            "b1": (self.n_hidden,),
            "W2": (self.n_hidden, self.n_embd),
            "b2": (self.n_embd,),
            "Wy": (self.n_embd, self.vocab_size),
            "by": (self.vocab_size,),
        }

    def numbers_a_target(self, places: int) -> int:  # noqa: ARG002
        """Embeddings, hidden units and scores, some of each."""
        return 12 * self.n_embd + 4 * self.n_hidden + 4 * self.vocab_size

    def initial(self, normal: Normal) -> dict[str, Any]:
        """Normal, as wide as PyTorch's for linear layers; embeddings standard normal, as in makemore."""
        drawn = {name: normal(name, shape) for name, shape in self.shapes.items()}
        fan_in = {"W1": self.n_embd, "b1": self.n_embd, "W2": self.n_hidden, "b2": self.n_hidden}
        return {
            name: value if name in ("C", "P") else scaled(value, fan_in.get(name, self.n_embd))
            for name, value in drawn.items()
        }

    def forward(
        self, parameters: Values, X: Tensor, Y: Tensor, masks: Masks | None = None, share: Share = WHOLE  # noqa: ARG002
    ) -> tuple[Tensor, BoWCache]:  # fmt: skip
        """Mean loss of a minibatch of lines. It drops nothing."""
        import torch

        p, ops = parameters, handgrad.ops
        emb, embedding = ops.embedding_forward(p["C"], X)
        of_places, places = ops.embedding_forward(p["P"], torch.arange(X.shape[1], device=X.device))
        x = emb + of_places
        mean, causal = ops.causal_mean_forward(x)
        rows, real = ops.embedding_forward((x + mean).flatten(0, 1), real_places(Y))  # padding is left behind
        hpreact, linear1 = ops.linear_forward(rows, p["W1"], p["b1"])
        h, tanh = ops.tanh_forward(hpreact)
        more, linear2 = ops.linear_forward(h, p["W2"], p["b2"])
        logits, scores = ops.linear_forward(rows + more, p["Wy"], p["by"])
        loss, cross_entropy = ops.cross_entropy_forward(logits, Y[Y >= 0])
        return loss, BoWCache(embedding, places, causal, real, linear1, tanh, linear2, scores, cross_entropy)

    def backward(self, dloss: Tensor, cache: BoWCache) -> dict[str, Tensor]:
        """Gradients of the parameters; what was added to itself has two gradients to add."""
        ops, lines = handgrad.ops, cache.embedding.Xb.shape
        (dlogits,) = ops.cross_entropy_backward(dloss, cache.cross_entropy)
        dsum, dWy, dby = ops.linear_backward(dlogits, cache.scores)
        dh, dW2, db2 = ops.linear_backward(dsum, cache.linear2)
        (dhpreact,) = ops.tanh_backward(dh, cache.tanh)
        drows, dW1, db1 = ops.linear_backward(dhpreact, cache.linear1)
        (dboth,) = ops.embedding_backward(dsum + drows, cache.real)
        dboth = dboth.unflatten(0, lines)
        dx = dboth + ops.causal_mean_backward(dboth, cache.causal).dx
        (dC,) = ops.embedding_backward(dx, cache.embedding)
        (dP,) = ops.embedding_backward(ops.unbroadcast(dx, dx.shape[1:]), cache.places)
        return {"C": dC, "P": dP, "W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "Wy": dWy, "by": dby}

    def start(self, values: Values, n: int) -> State:
        """A sum of nothing."""
        return (values["C"].new_zeros(n, self.n_embd),)

    def step(self, values: Values, state: State, tokens: Tensor, place: int) -> tuple[Tensor, State]:
        """Add the character to the sum."""
        p, ops = values, handgrad.ops
        x = p["C"][tokens] + p["P"][place]
        total = state[0] + x
        x = x + total / (place + 1)
        h = ops.linear_forward(x, p["W1"], p["b1"])[0].tanh()
        x = x + ops.linear_forward(h, p["W2"], p["b2"])[0]
        return ops.linear_forward(x, p["Wy"], p["by"])[0], (total,)


class BoWCache(NamedTuple):
    """What `BoW.backward` needs."""

    embedding: ops.EmbeddingCache
    places: ops.EmbeddingCache
    causal: ops.CausalMeanCache
    real: ops.EmbeddingCache
    linear1: ops.LinearCache
    tanh: ops.TanhCache
    linear2: ops.LinearCache
    scores: ops.LinearCache
    cross_entropy: ops.CrossEntropyCache
