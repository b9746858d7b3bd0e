"""A transformer: GPT-2 on a small scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import handgrad
from handgrad.models.attending import Attend, over_lines_backward
from handgrad.models.dropping import drop, drop_backward
from handgrad.models.family import Masks, Normal, Values, scaled
from handgrad.models.gpt import GPT

if TYPE_CHECKING:
    from torch import Tensor

    from handgrad import ops


@dataclass(frozen=True)
class Transformer(GPT):
    """Blocks of attention and a multilayer perceptron with GELU, layer norm before each; see `GPT`.

    Args:
        vocab_size: distinct characters, plus one for the boundary of a line.
        block_size: the most characters of a line, its end included.
        n_embd: features of a place.
        n_layer: blocks.
        n_head: heads of attention.
        dropout: the share of the embeddings, and of what a block adds, that a training step leaves out.
        tied: whether scores are products with the embeddings of the characters, not with a matrix of their own.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", sec. 2.3; makemore.py,
    `Transformer`, which has as many parameters. Press and Wolf 2017, "Using the Output Embedding to Improve Language
    Models", arXiv:1608.05859, for `tied`.

    Example:
        >>> Transformer(vocab_size=27).n_parameters
        204544
    """

    name = "transformer"
    title = "blocks of causal attention with layer norm"
    recipe = {  # noqa: RUF012
        "steps": 22_000, "batch_size": 32, "block_size": 0, "n_embd": 64, "n_layer": 4, "n_head": 4, "dropout": 0.15,
        "lr": 0.002, "weight_decay": 0.05,
    }  # fmt: skip

    dropout: float = 0.0
    tied: bool = False

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Embeddings, the layers of each block, the last norm, and the layer of the scores."""
        d = self.n_embd
        shapes: dict[str, tuple[int, ...]] = {"C": (self.vocab_size, d), "P": (self.block_size, d)}
        block = {
            "gain1": (d,), "bias1": (d,), "Wqkv": (d, 3 * d), "bqkv": (3 * d,), "Wo": (d, d), "bo": (d,),
            "gain2": (d,), "bias2": (d,), "W1": (d, 4 * d), "b1": (4 * d,), "W2": (4 * d, d), "b2": (d,),
        }  # fmt: skip
        for layer in range(self.n_layer):
            shapes |= {f"{name}.{layer}": shape for name, shape in block.items()}
        scores = {} if self.tied else {"Wy": (d, self.vocab_size)}
        return {**shapes, "gain": (d,), "bias": (d,), **scores}

    def initial(self, normal: Normal) -> dict[str, Any]:
        """Normal, as wide as PyTorch's for linear layers; embeddings a tenth of standard normal."""
        drawn = {name: normal(name, shape) for name, shape in self.shapes.items()}
        for name, value in drawn.items():
            kind = name.partition(".")[0]
            if kind.startswith("gain"):
                drawn[name] = 1 + value * 0.1
            elif kind in ("C", "P") or kind.startswith("bias"):
                drawn[name] = value * 0.1
            else:
                drawn[name] = scaled(value, 4 * self.n_embd if kind in ("W2", "b2") else self.n_embd)
        return drawn

    def block(
        self, values: Values, layer: int, x: Tensor, attend: Attend, masks: Masks | None
    ) -> tuple[Tensor, BlockCache]:
        """`x` plus attention, plus a multilayer perceptron."""
        ops, p = handgrad.ops, {name: values[f"{name}.{layer}"] for name in _OF_A_BLOCK}
        normed, norm1 = ops.layernorm_forward(x, p["gain1"], p["bias1"])
        qkv, linear_qkv = ops.linear_forward(normed, p["Wqkv"], p["bqkv"])
        y, attention = attend(*qkv.chunk(3, 1))
        added, linear_o = ops.linear_forward(y, p["Wo"], p["bo"])
        added, dropout1 = drop(masks, f"attention.{layer}", added)
        x = x + added
        normed, norm2 = ops.layernorm_forward(x, p["gain2"], p["bias2"])
        hpreact, linear1 = ops.linear_forward(normed, p["W1"], p["b1"])
        h, gelu = ops.gelu_forward(hpreact)
        added, linear2 = ops.linear_forward(h, p["W2"], p["b2"])
        added, dropout2 = drop(masks, f"perceptron.{layer}", added)
        caches = norm1, linear_qkv, attention, linear_o, dropout1, norm2, linear1, gelu, linear2, dropout2
        return x + added, BlockCache(*caches)

    def block_backward(self, layer: int, dx: Tensor, cache: BlockCache, gradients: dict[str, Tensor]) -> Tensor:
        """`x` goes on as it is and through a branch, twice; both times two gradients add."""
        import torch

        ops, c, d = handgrad.ops, cache, {}
        dh, d["W2"], d["b2"] = ops.linear_backward(drop_backward(dx, c.dropout2), c.linear2)
        (dhpreact,) = ops.gelu_backward(dh, c.gelu)
        dnormed, d["W1"], d["b1"] = ops.linear_backward(dhpreact, c.linear1)
        dbranch, d["gain2"], d["bias2"] = ops.layernorm_backward(dnormed, c.norm2)
        dx = dx + dbranch
        dy, d["Wo"], d["bo"] = ops.linear_backward(drop_backward(dx, c.dropout1), c.linear_o)
        dqkv = torch.cat(over_lines_backward(dy, cast("ops.AttentionCache", c.attention)), 1)
        dnormed, d["Wqkv"], d["bqkv"] = ops.linear_backward(dqkv, c.linear_qkv)
        dbranch, d["gain1"], d["bias1"] = ops.layernorm_backward(dnormed, c.norm1)
        gradients |= {f"{name}.{layer}": gradient for name, gradient in d.items()}
        return dx + dbranch

    def behind(self, values: Values, x: Tensor) -> tuple[Tensor, BehindCache]:
        """One more norm, and the scores."""
        normed, norm = handgrad.ops.layernorm_forward(x, values["gain"], values["bias"])
        logits, product = handgrad.ops.matmul_forward(normed, values["C"].T if self.tied else values["Wy"])
        return logits, BehindCache(norm, product)

    def behind_backward(self, dlogits: Tensor, cache: BehindCache, gradients: dict[str, Tensor]) -> Tensor:
        """Of the scores and the norm."""
        dnormed, dweight = handgrad.ops.matmul_backward(dlogits, cache.product)
        gradients |= {"C": dweight.T} if self.tied else {"Wy": dweight}
        dx, gradients["gain"], gradients["bias"] = handgrad.ops.layernorm_backward(dnormed, cache.norm)
        return dx


_OF_A_BLOCK = ("gain1", "bias1", "Wqkv", "bqkv", "Wo", "bo", "gain2", "bias2", "W1", "b1", "W2", "b2")


class BlockCache(NamedTuple):
    """What `Transformer.block_backward` needs."""

    norm1: ops.LayerNormCache
    linear_qkv: ops.LinearCache
    attention: ops.AttentionCache | None
    linear_o: ops.LinearCache
    dropout1: ops.DropoutCache | None
    norm2: ops.LayerNormCache
    linear1: ops.LinearCache
    gelu: ops.GELUCache
    linear2: ops.LinearCache
    dropout2: ops.DropoutCache | None


class BehindCache(NamedTuple):
    """What `Transformer.behind_backward` needs."""

    norm: ops.LayerNormCache
    product: ops.MatmulCache
