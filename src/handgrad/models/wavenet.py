"""A network like WaveNet: the characters of a context fused two by two, level by level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import handgrad
from handgrad.errors import ConfigError
from handgrad.models.family import WHOLE, Masks, Normal, OfContexts, Share, Values

if TYPE_CHECKING:
    from torch import Size, Tensor

    from handgrad import ops


@dataclass(frozen=True)
class WaveNet(OfContexts):
    """A binary tree over the last characters; at each node a linear layer of its two halves, batch norm and tanh.

    Batch norm takes batch and places together. The nodes of a level share their parameters.

    Args:
        vocab_size: distinct characters, plus one for the boundary of a line.
        block_size: characters of context, a power of two.
        n_embd: features of a character's embedding.
        n_hidden: units of each node.

    Raises:
        ConfigError: a size is not a positive integer, or `block_size` is not a power of two.

    Source: van den Oord et al. 2016, "WaveNet", arXiv:1609.03499, fig. 3; makemore part 5.

    Example:
        >>> WaveNet(vocab_size=27).n_parameters
        76579
    """

    name = "wavenet"
    title = "the last characters fused two by two, with batch norm"
    smallest_batch = 2
    recipe = {"steps": 10_000, "batch_size": 128, "n_embd": 24, "n_hidden": 128, "lr": 0.004, "weight_decay": 0.1}  # noqa: RUF012

    block_size: int = 8
    n_embd: int = 24
    n_hidden: int = 128

    def __post_init__(self):  # noqa: D105
        super().__post_init__()
        if self.block_size < 2 or self.block_size & (self.block_size - 1):
            raise ConfigError(
                "block_size makes no sense", got=self.block_size, expected="a power of two of at least 2",
                next_step="The wavenet halves it level by level.",
            )  # fmt: skip

    @property
    def levels(self) -> range:
        """From the leaves, 1, to the root."""
        return range(1, self.block_size.bit_length())

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The embedding, the layers of each level, and the layer that ends in the scores."""
        shapes: dict[str, tuple[int, ...]] = {"C": (self.vocab_size, self.n_embd)}
        for level in self.levels:
            inputs = self.n_embd if level == 1 else self.n_hidden
            shapes[f"W{level}"] = (2 * inputs, self.n_hidden)
            shapes[f"bngain{level}"] = shapes[f"bnbias{level}"] = (1, self.n_hidden)
        return {**shapes, "Wy": (self.n_hidden, self.vocab_size), "by": (self.vocab_size,)}

    @property
    def buffer_shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Mean and variance before each batch norm, over the training split."""
        names = [f"{name}{level}" for level in self.levels for name in ("bnmean", "bnvar")]
        return dict.fromkeys(names, (1, self.n_hidden))

    def initial(self, normal: Normal) -> dict[str, Any]:
        """As those of the lecture's network: small, with the gain of tanh, and nowhere zero.

        Source: He et al. 2015, eq. 10; the output layer is less confident, as in makemore part 5.
        """
        drawn = {name: normal(name, shape) for name, shape in self.shapes.items()}
        for name, value in drawn.items():
            if name.startswith("W"):
                drawn[name] = value * ((0.1 if name == "Wy" else 5 / 3) / self.shapes[name][0] ** 0.5)
            elif name != "C":
                drawn[name] = value * 0.1 + (1.0 if name.startswith("bngain") else 0.0)
        return drawn

    def forward(
        self, parameters: Values, X: Tensor, Y: Tensor, masks: Masks | None = None, share: Share = WHOLE  # noqa: ARG002
    ) -> tuple[Tensor, WaveNetCache]:  # fmt: skip
        """Mean loss of a minibatch, with batch norm over batch and places. It drops nothing."""
        p, ops = parameters, handgrad.ops
        x, embedding = ops.embedding_forward(p["C"], X)
        levels = []
        for level in self.levels:
            pairs = _paired(x)
            rows, product = ops.matmul_forward(pairs.flatten(0, 1), p[f"W{level}"])
            gain, bias, of_all = p[f"bngain{level}"], p[f"bnbias{level}"], share.rows(rows.shape[0])
            rows, batchnorm = ops.batchnorm_forward(rows, gain, bias, n=of_all, total=share.total)
            rows, tanh = ops.tanh_forward(rows)
            levels.append(LevelCache(x.shape, product, batchnorm, tanh))
            x = rows.unflatten(0, pairs.shape[:2])
        logits, linear = ops.linear_forward(x.flatten(1), p["Wy"], p["by"])
        loss, cross_entropy = ops.cross_entropy_forward(logits, Y)
        return loss, WaveNetCache(embedding, tuple(levels), linear, cross_entropy)

    def backward(self, dloss: Tensor, cache: WaveNetCache) -> dict[str, Tensor]:
        """Gradients of the parameters; a pair that was fused is a pair again."""
        ops, d = handgrad.ops, {}
        (dlogits,) = ops.cross_entropy_backward(dloss, cache.cross_entropy)
        dx, d["Wy"], d["by"] = ops.linear_backward(dlogits, cache.linear)
        for level, c in reversed(list(zip(self.levels, cache.levels, strict=True))):
            (dx,) = ops.tanh_backward(dx.reshape(c.tanh.h.shape), c.tanh)
            dx, d[f"bngain{level}"], d[f"bnbias{level}"] = ops.batchnorm_backward(dx, c.batchnorm)
            dx, d[f"W{level}"] = ops.matmul_backward(dx, c.product)
            dx = dx.reshape(c.x_shape)
        (d["C"],) = ops.embedding_backward(dx, cache.embedding)
        return {name: d[name] for name in self.shapes}

    def measured(self, values: Values, X: Tensor) -> dict[str, Tensor]:
        """Mean and variance before each batch norm, level by level, those below already fixed.

        Source: lecture, "calibrate the batch norm at the end of training".
        """
        import torch

        buffers: dict[str, Tensor] = {}
        x = values["C"][X]
        for level in self.levels:
            pairs = _paired(x) @ values[f"W{level}"]
            bnvar, bnmean = torch.var_mean(pairs.flatten(0, 1), 0, correction=1, keepdim=True)
            buffers |= {f"bnmean{level}": bnmean, f"bnvar{level}": bnvar}
            x = self._normalised({**values, **buffers}, pairs, level)
        return buffers

    def logits(self, values: Values, X: Tensor) -> Tensor:
        """Scores of the next character, with batch norm on the statistics among the values."""
        x = values["C"][X]
        for level in self.levels:
            x = self._normalised(values, _paired(x) @ values[f"W{level}"], level)
        return handgrad.ops.linear_forward(x.flatten(1), values["Wy"], values["by"])[0]

    def _normalised(self, values: Values, x: Tensor, level: int) -> Tensor:
        gain, bias, mean, var = (values[f"{name}{level}"] for name in ("bngain", "bnbias", "bnmean", "bnvar"))
        rows = handgrad.ops.batchnorm_inference(x.flatten(0, 1), gain, bias, mean, var)
        return rows.tanh().unflatten(0, x.shape[:2])


class LevelCache(NamedTuple):
    """What the backward of a level needs."""

    x_shape: Size
    product: ops.MatmulCache
    batchnorm: ops.BatchNormCache
    tanh: ops.TanhCache


class WaveNetCache(NamedTuple):
    """What `WaveNet.backward` needs."""

    embedding: ops.EmbeddingCache
    levels: tuple[LevelCache, ...]
    linear: ops.LinearCache
    cross_entropy: ops.CrossEntropyCache


def _paired(x: Tensor) -> Tensor:
    """(N, T, D) as (N, T/2, 2D): neighbours side by side."""
    return x.reshape(x.shape[0], x.shape[1] // 2, 2 * x.shape[2])
