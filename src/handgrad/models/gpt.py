"""What the transformer and microgpt share: all but the layers of a block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import handgrad
from handgrad.errors import ConfigError
from handgrad.models.attending import Attend, over_lines, to_remembered
from handgrad.models.dropping import drop, drop_backward, rows_by_beginnings
from handgrad.models.family import WHOLE, Masks, OfLines, Share, State, Values, real_places

if TYPE_CHECKING:
    from torch import Tensor

    from handgrad import ops


@dataclass(frozen=True)
class GPT(OfLines):
    """Embeddings of characters and of places, blocks in which places attend to those before them, and scores.

    A subclass has the layers: of a block, before the blocks and behind them.

    Args:
        vocab_size: distinct characters, plus one for the boundary of a line.
        block_size: the most characters of a line, its end included; each place has an embedding of its own.
        n_embd: features of a place.
        n_layer: blocks.
        n_head: heads of attention, which share the features.

    Raises:
        ConfigError: a size is not a positive integer, or `n_embd` is not a multiple of `n_head`.
    """

    block_size: int = 16
    n_embd: int = 64
    n_layer: int = 4
    n_head: int = 4

    def __post_init__(self):  # noqa: D105
        super().__post_init__()
        if self.n_embd % self.n_head:
            raise ConfigError(
                f"n_head {self.n_head} heads cannot share the features", got=f"n_embd {self.n_embd}",
                expected=f"a multiple of {self.n_head}",
            )  # fmt: skip

    @property
    def longest(self) -> int:
        """As many places as have embeddings."""
        return self.block_size

    def numbers_a_target(self, places: int) -> int:
        """Of each block some 60 times the features, and the weights of attention twice; on the way back twice more."""
        of_heads = 2 * (self.n_layer + 1) * self.n_head * places
        return 60 * self.n_layer * self.n_embd + of_heads + 4 * self.vocab_size

    def block(self, values: Values, layer: int, x: Tensor, attend: Attend, masks: Masks | None) -> tuple[Tensor, Any]:
        """A block: rows in, rows out, (N, n_embd), and the cache."""
        raise NotImplementedError

    def block_backward(self, layer: int, dx: Tensor, cache: Any, gradients: dict[str, Tensor]) -> Tensor:
        """The gradient of the rows that went into a block; those of its parameters are put among `gradients`."""
        raise NotImplementedError

    def before(self, x: Tensor) -> tuple[Tensor, Any]:
        """What is done to the embeddings before the first block, and the cache."""
        return x, None

    def before_backward(self, dx: Tensor, cache: Any) -> Tensor:  # noqa: ARG002
        """The gradient of the embeddings."""
        return dx

    def behind(self, values: Values, x: Tensor) -> tuple[Tensor, Any]:
        """The scores of some rows, and the cache."""
        raise NotImplementedError

    def behind_backward(self, dlogits: Tensor, cache: Any, gradients: dict[str, Tensor]) -> Tensor:
        """The gradient of the rows; those of the parameters are put among `gradients`."""
        raise NotImplementedError

    def mask_rows(self, X: Tensor, Y: Tensor, lines: slice) -> Tensor:
        """Of all places of these lines, padding too; wherever lines have begun alike up to there it is one row."""
        return rows_by_beginnings(X, Y)[lines].flatten()

    def forward(
        self, parameters: Values, X: Tensor, Y: Tensor, masks: Masks | None = None, share: Share = WHOLE  # noqa: ARG002
    ) -> tuple[Tensor, GPTCache]:  # fmt: skip
        """Mean loss of a minibatch of lines."""
        import torch

        p, ops = parameters, handgrad.ops
        emb, embedding = ops.embedding_forward(p["C"], X)
        of_places, places = ops.embedding_forward(p["P"], torch.arange(X.shape[1], device=X.device))
        x, dropout = drop(masks, "embedding", (emb + of_places).flatten(0, 1))
        x, before = self.before(x)
        blocks = []
        for layer in range(self.n_layer):
            x, block = self.block(p, layer, x, over_lines(len(X), self.n_head), masks)
            blocks.append(block)
        rows, real = ops.embedding_forward(x, real_places(Y))  # padding is left behind
        logits, behind = self.behind(p, rows)
        loss, cross_entropy = ops.cross_entropy_forward(logits, Y[Y >= 0])
        return loss, GPTCache(embedding, places, dropout, before, tuple(blocks), real, behind, cross_entropy)

    def backward(self, dloss: Tensor, cache: GPTCache) -> dict[str, Tensor]:
        """Gradients of the parameters, block after block from the last to the first."""
        ops, d = handgrad.ops, {}
        (dlogits,) = ops.cross_entropy_backward(dloss, cache.cross_entropy)
        drows = self.behind_backward(dlogits, cache.behind, d)
        (dx,) = ops.embedding_backward(drows, cache.real)
        for layer, block in reversed(list(enumerate(cache.blocks))):
            dx = self.block_backward(layer, dx, block, d)
        dx = drop_backward(self.before_backward(dx, cache.before), cache.dropout)
        dx = dx.unflatten(0, cache.embedding.Xb.shape)
        (dC,) = ops.embedding_backward(dx, cache.embedding)
        d["C"] = d["C"] + dC if "C" in d else dC  # the scores may use it too
        (d["P"],) = ops.embedding_backward(ops.unbroadcast(dx, dx.shape[1:]), cache.places)
        return {name: d[name] for name in self.shapes}

    def start(self, values: Values, n: int) -> State:
        """No keys and no values, in any block."""
        nothing = values["C"].new_zeros(n, 0, self.n_embd)
        return (nothing,) * (2 * self.n_layer)

    def step(self, values: Values, state: State, tokens: Tensor, place: int) -> tuple[Tensor, State]:
        """Attend to all places so far, whose keys and values are kept."""
        x, _ = self.before(values["C"][tokens] + values["P"][place])
        remembered: list[Tensor] = []
        for layer in range(self.n_layer):
            keys, of_keys = state[2 * layer : 2 * layer + 2]
            x, _ = self.block(values, layer, x, to_remembered(keys, of_keys, self.n_head, remembered), None)
        return self.behind(values, x)[0], tuple(remembered)


class GPTCache(NamedTuple):
    """What `GPT.backward` needs."""

    embedding: ops.EmbeddingCache
    places: ops.EmbeddingCache
    dropout: ops.DropoutCache | None
    before: Any
    blocks: tuple[Any, ...]
    real: ops.EmbeddingCache
    behind: Any
    cross_entropy: ops.CrossEntropyCache
