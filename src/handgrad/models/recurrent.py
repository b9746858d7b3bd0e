"""What the recurrent families share: all but the recurrence itself."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import handgrad
from handgrad.models.dropping import drop, drop_backward
from handgrad.models.family import WHOLE, Masks, Normal, OfLines, Share, State, Values, real_places, scaled

if TYPE_CHECKING:
    from torch import Tensor

    from handgrad import ops


@dataclass(frozen=True)
class Recurrent(OfLines):
    """Embedding, a recurrent layer, dropout of its states, and a linear layer that ends in the scores.

    A subclass has the recurrence: how many gates, their weights, and how a state is carried along a line.

    Args:
        vocab_size: distinct characters, plus one for the boundary of a line.
        n_embd: features of a character's embedding.
        n_hidden: units of the state.
        dropout: the share of each state that a training step hides from the scores.
    """

    gates: ClassVar[int]
    """How many numbers a unit takes from the input at each place."""
    first: ClassVar[tuple[str, ...]] = ("h0",)
    """The parameters with which a line begins, each (1, n_hidden)."""

    n_embd: int = 64
    n_hidden: int = 128
    dropout: float = 0.0

    @property
    @abstractmethod
    def recurrent_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the weights of the recurrence."""

    @abstractmethod
    def recur(self, parameters: Values, a: Tensor, first: list[Tensor]) -> tuple[Tensor, Any]:
        """The states, (B, T, n_hidden), from what the inputs contribute, (B, T, gates · n_hidden); and the cache."""

    @abstractmethod
    def recur_backward(self, dh: Tensor, cache: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """The gradient of `a`, and by name those of the weights and, (B, n_hidden) each, of what a line begins with."""

    @abstractmethod
    def carried(self, h: Tensor, cache: Any) -> State:
        """What the next place needs after the last one."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The embedding, the layer of the inputs, the recurrence, first states, and the layer of the scores."""
        return {
            "C": (self.vocab_size, self.n_embd),
            "Wxh": (self.n_embd, self.gates * self.n_hidden),
            "bh": (self.gates * self.n_hidden,),
            **self.recurrent_shapes,
            **dict.fromkeys(self.first, (1, self.n_hidden)),
            "Why": (self.n_hidden, self.vocab_size),
            "by": (self.vocab_size,),
        }

    def decays(self, name: str) -> bool:
        """Matrices decay, first states do not."""
        return super().decays(name) and name not in self.first

    def numbers_a_target(self, places: int) -> int:  # noqa: ARG002
        """Of each gate some numbers, of the state and the scores some more."""
        return self.n_embd + (3 * self.gates + 6) * self.n_hidden + 4 * self.vocab_size

    def initial(self, normal: Normal) -> dict[str, Any]:
        """Normal, as wide as PyTorch's for linear layers; embeddings standard normal, as in makemore."""
        drawn = {name: normal(name, shape) for name, shape in self.shapes.items()}
        wide = self.n_embd + self.n_hidden  # of [x, h] side by side
        fan_in = {"Why": self.n_hidden, "by": self.n_hidden}
        return {
            name: value if name == "C" else value * 0.1 if name in self.first else scaled(value, fan_in.get(name, wide))
            for name, value in drawn.items()
        }

    def forward(
        self, parameters: Values, X: Tensor, Y: Tensor, masks: Masks | None = None, share: Share = WHOLE  # noqa: ARG002
    ) -> tuple[Tensor, RecurrentCache]:  # fmt: skip
        """Mean loss of a minibatch of lines."""
        p, ops = parameters, handgrad.ops
        emb, embedding = ops.embedding_forward(p["C"], X)
        a, inputs = ops.linear_forward(emb.flatten(0, 1), p["Wxh"], p["bh"])
        h, recurrence = self.recur(p, a.unflatten(0, X.shape), [p[name].expand(len(X), -1) for name in self.first])
        rows, real = ops.embedding_forward(h.flatten(0, 1), real_places(Y))  # padding is left behind
        rows, dropout = drop(masks, "h", rows)
        logits, scores = ops.linear_forward(rows, p["Why"], p["by"])
        loss, cross_entropy = ops.cross_entropy_forward(logits, Y[Y >= 0])
        return loss, RecurrentCache(embedding, inputs, recurrence, real, dropout, scores, cross_entropy)

    def backward(self, dloss: Tensor, cache: RecurrentCache) -> dict[str, Tensor]:
        """Gradients of the parameters, through time."""
        ops, lines = handgrad.ops, cache.embedding.Xb.shape
        (dlogits,) = ops.cross_entropy_backward(dloss, cache.cross_entropy)
        drows, dWhy, dby = ops.linear_backward(dlogits, cache.scores)
        (dh,) = ops.embedding_backward(drop_backward(drows, cache.dropout), cache.real)
        da, d = self.recur_backward(dh.unflatten(0, lines), cache.recurrence)
        demb, dWxh, dbh = ops.linear_backward(da.flatten(0, 1), cache.inputs)
        (dC,) = ops.embedding_backward(demb.unflatten(0, lines), cache.embedding)
        # first = p[name].expand(len(X), -1)
        d |= {name: ops.unbroadcast(d[name], (1, self.n_hidden)) for name in self.first}
        d |= {"C": dC, "Wxh": dWxh, "bh": dbh, "Why": dWhy, "by": dby}
        return {name: d[name] for name in self.shapes}

    def start(self, values: Values, n: int) -> State:
        """The first state of each line."""
        return tuple(values[name].expand(n, -1) for name in self.first)

    def step(self, values: Values, state: State, tokens: Tensor, place: int) -> tuple[Tensor, State]:  # noqa: ARG002
        """Carry the state on by one place."""
        a = handgrad.ops.linear_forward(values["C"][tokens], values["Wxh"], values["bh"])[0]
        h, cache = self.recur(values, a[:, None], list(state))
        return handgrad.ops.linear_forward(h[:, 0], values["Why"], values["by"])[0], self.carried(h, cache)


class RecurrentCache(NamedTuple):
    """What `Recurrent.backward` needs."""

    embedding: ops.EmbeddingCache
    inputs: ops.LinearCache
    recurrence: Any
    real: ops.EmbeddingCache
    dropout: ops.DropoutCache | None
    scores: ops.LinearCache
    cross_entropy: ops.CrossEntropyCache
