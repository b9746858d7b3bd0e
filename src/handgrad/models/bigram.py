"""Bigrams: the next character from the last one alone, by one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import handgrad
from handgrad.models.family import WHOLE, Masks, Normal, OfContexts, Share, Values

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from handgrad import ops


@dataclass(frozen=True)
class Bigram(OfContexts):
    """A row of scores for each last character.

    The loss is least where the softmax of each row is the share of each next character, so counting gives at once what
    gradients lead to: see `counted`.

    Args:
        vocab_size: distinct characters, plus one for the boundary of a line.

    Source: makemore part 1; makemore.py, `Bigram`.

    Example:
        >>> Bigram(vocab_size=27).n_parameters
        729
    """

    name = "bigram"
    title = "one table: the next character from the last one"
    recipe = {"steps": 2_000, "batch_size": 512, "lr": 0.3, "weight_decay": 0.0}  # noqa: RUF012

    @property
    def block_size(self) -> int:
        """One character."""
        return 1

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The table, a row for each last character."""
        return {"W": (self.vocab_size, self.vocab_size)}

    def initial(self, normal: Normal) -> dict[str, Any]:
        """Standard normal, as in makemore part 1."""
        return {"W": normal("W", self.shapes["W"])}

    def forward(
        self, parameters: Values, X: Tensor, Y: Tensor, masks: Masks | None = None, share: Share = WHOLE  # noqa: ARG002
    ) -> tuple[Tensor, BigramCache]:  # fmt: skip
        """Mean loss of a minibatch. It drops nothing."""
        logits, embedding = handgrad.ops.embedding_forward(parameters["W"], X[:, 0])
        loss, cross_entropy = handgrad.ops.cross_entropy_forward(logits, Y)
        return loss, BigramCache(embedding, cross_entropy)

    def backward(self, dloss: Tensor, cache: BigramCache) -> dict[str, Tensor]:
        """Gradient of the table."""
        (dlogits,) = handgrad.ops.cross_entropy_backward(dloss, cache.cross_entropy)
        (dW,) = handgrad.ops.embedding_backward(dlogits, cache.embedding)
        return {"W": dW}

    def logits(self, values: Values, X: Tensor) -> Tensor:
        """The row of the last character."""
        return values["W"][X[:, 0]]


class BigramCache(NamedTuple):
    """What `Bigram.backward` needs."""

    embedding: ops.EmbeddingCache
    cross_entropy: ops.CrossEntropyCache


def counted(tokens: np.ndarray, vocab_size: int, smoothing: float = 1.0) -> dict[str, np.ndarray]:
    """The parameters of a bigram model by counting: logarithms of how often each character follows each.

    Args:
        tokens: lines, each followed by one 0, flat.
        vocab_size: distinct characters, plus one.
        smoothing: added to each count; above 0, so that nothing is impossible.

    Source: makemore part 1, `P = (N+1).float()`.

    Example:
        >>> import numpy as np
        >>> W = counted(np.array([1, 0, 1, 1, 0]), vocab_size=2)["W"]  # a, aa
        >>> np.exp(W) - 1
        array([[0., 2.],
               [2., 1.]], dtype=float32)
    """
    import numpy as np

    before = np.append(0, tokens[:-1]).astype(np.int64)
    pairs = np.bincount(before * vocab_size + tokens, minlength=vocab_size**2).reshape(vocab_size, vocab_size)
    return {"W": np.log(pairs + smoothing).astype(np.float32)}
