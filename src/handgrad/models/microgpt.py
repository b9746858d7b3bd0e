"""microgpt: a transformer of a few thousand parameters, with nothing that could be left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import handgrad
from handgrad.models.attending import Attend, over_lines_backward
from handgrad.models.family import Masks, Normal, Values
from handgrad.models.gpt import GPT

if TYPE_CHECKING:
    from torch import Tensor

    from handgrad import ops


@dataclass(frozen=True)
class MicroGPT(GPT):
    """Blocks of attention and a multilayer perceptron with ReLU; RMS norm without parameters, no biases; see `GPT`.

    Args:
        vocab_size: distinct characters, plus one for the boundary of a line.
        block_size: the most characters of a line, its end included.
        n_embd: features of a place.
        n_layer: blocks.
        n_head: heads of attention.

    Source: microgpt.py, 2026.

    Example:
        >>> MicroGPT(vocab_size=27).n_parameters
        4192
    """

    name = "microgpt"
    title = "blocks of causal attention, as small as they can be"
    beta1 = 0.85
    recipe = {  # noqa: RUF012
        "steps": 1_000, "batch_size": 16, "block_size": 16, "n_embd": 16, "n_layer": 1, "n_head": 4, "lr": 0.01,
        "weight_decay": 0.0,
    }  # fmt: skip

    n_embd: int = 16
    n_layer: int = 1

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Embeddings, the layer of the scores, and the layers of each block, in the script's order."""
        d = self.n_embd
        shapes: dict[str, tuple[int, ...]] = {
            "C": (self.vocab_size, d), "P": (self.block_size, d), "Wy": (d, self.vocab_size),
        }  # fmt: skip
        block = {"Wq": (d, d), "Wk": (d, d), "Wv": (d, d), "Wo": (d, d), "W1": (d, 4 * d), "W2": (4 * d, d)}
        for layer in range(self.n_layer):
            shapes |= {f"{name}.{layer}": shape for name, shape in block.items()}
        return shapes

    def initial(self, normal: Normal) -> dict[str, Any]:
        """All normal with a standard deviation of 0.08, drawn as the script draws them.

        There a row is what makes one number of the output, and the boundary comes after all other characters.
        """
        values = {}
        for name, shape in self.shapes.items():
            embeds = name in ("C", "P")
            rows = normal(name, shape if embeds else shape[::-1]) * 0.08
            if name in ("C", "Wy"):
                rows = rows[[-1, *range(self.vocab_size - 1)]]
            values[name] = rows if embeds else rows.T
        return values

    def before(self, x: Tensor) -> tuple[Tensor, ops.RMSNormCache]:
        """A norm."""
        return handgrad.ops.rmsnorm_forward(x)

    def before_backward(self, dx: Tensor, cache: ops.RMSNormCache) -> Tensor:
        """Of the norm."""
        return handgrad.ops.rmsnorm_backward(dx, cache).dx

    def block(
        self, values: Values, layer: int, x: Tensor, attend: Attend, masks: Masks | None  # noqa: ARG002
    ) -> tuple[Tensor, BlockCache]:  # fmt: skip
        """`x` plus attention, plus a multilayer perceptron."""
        ops, p = handgrad.ops, {name: values[f"{name}.{layer}"] for name in ("Wq", "Wk", "Wv", "Wo", "W1", "W2")}
        normed, norm1 = ops.rmsnorm_forward(x)
        (q, of_q), (k, of_k), (v, of_v) = (ops.matmul_forward(normed, p[name]) for name in ("Wq", "Wk", "Wv"))
        y, attention = attend(q, k, v)
        added, of_o = ops.matmul_forward(y, p["Wo"])
        x = x + added
        normed, norm2 = ops.rmsnorm_forward(x)
        hpreact, of_1 = ops.matmul_forward(normed, p["W1"])
        h, relu = ops.relu_forward(hpreact)
        added, of_2 = ops.matmul_forward(h, p["W2"])
        return x + added, BlockCache(norm1, of_q, of_k, of_v, attention, of_o, norm2, of_1, relu, of_2)

    def block_backward(self, layer: int, dx: Tensor, cache: BlockCache, gradients: dict[str, Tensor]) -> Tensor:
        """`x` goes on as it is and through a branch, twice; the norm before attention is used three times."""
        ops, c, d = handgrad.ops, cache, {}
        dh, d["W2"] = ops.matmul_backward(dx, c.of_2)
        (dhpreact,) = ops.relu_backward(dh, c.relu)
        dnormed, d["W1"] = ops.matmul_backward(dhpreact, c.of_1)
        dx = dx + ops.rmsnorm_backward(dnormed, c.norm2).dx
        dy, d["Wo"] = ops.matmul_backward(dx, c.of_o)
        dq, dk, dv = over_lines_backward(dy, cast("ops.AttentionCache", c.attention))
        through_q, d["Wq"] = ops.matmul_backward(dq, c.of_q)
        through_k, d["Wk"] = ops.matmul_backward(dk, c.of_k)
        through_v, d["Wv"] = ops.matmul_backward(dv, c.of_v)
        gradients |= {f"{name}.{layer}": gradient for name, gradient in d.items()}
        return dx + ops.rmsnorm_backward(through_q + through_k + through_v, c.norm1).dx

    def behind(self, values: Values, x: Tensor) -> tuple[Tensor, ops.MatmulCache]:
        """The scores."""
        return handgrad.ops.matmul_forward(x, values["Wy"])

    def behind_backward(self, dlogits: Tensor, cache: ops.MatmulCache, gradients: dict[str, Tensor]) -> Tensor:
        """Of the scores."""
        dx, gradients["Wy"] = handgrad.ops.matmul_backward(dlogits, cache)
        return dx


class BlockCache(NamedTuple):
    """What `MicroGPT.block_backward` needs."""

    norm1: ops.RMSNormCache
    of_q: ops.MatmulCache
    of_k: ops.MatmulCache
    of_v: ops.MatmulCache
    attention: ops.AttentionCache | None
    of_o: ops.MatmulCache
    norm2: ops.RMSNormCache
    of_1: ops.MatmulCache
    relu: ops.ReLUCache
    of_2: ops.MatmulCache
