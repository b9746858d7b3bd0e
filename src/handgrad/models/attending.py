"""Attention in two forms: over whole lines for training, and of one more place to what is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import handgrad

if TYPE_CHECKING:
    from torch import Tensor

    from handgrad import ops


class Attend(Protocol):
    """What the rows of queries, keys and values, (N, D) each, become: (N, D), and what is needed later."""

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, ops.AttentionCache | None]:
        """Attend."""
        ...


def over_lines(n_lines: int, n_head: int) -> Attend:
    """Rows are the places of so many whole lines, one after another."""

    def attend(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, ops.AttentionCache]:
        q, k, v = (x.unflatten(0, (n_lines, -1)) for x in (q, k, v))
        y, cache = handgrad.ops.attention_forward(q, k, v, n_head)
        return y.flatten(0, 1), cache

    return attend


def over_lines_backward(dy: Tensor, cache: ops.AttentionCache) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of the rows of queries, keys and values."""
    dq, dk, dv = handgrad.ops.attention_backward(dy.unflatten(0, (cache.q.shape[0], -1)), cache)
    return dq.flatten(0, 1), dk.flatten(0, 1), dv.flatten(0, 1)


def to_remembered(keys: Tensor, values: Tensor, n_head: int, remembered: list[Tensor]) -> Attend:
    """Rows are the next place of each line, after those whose keys and values, (N, T, D), are given.

    All keys and all values, the new ones among them, are appended to `remembered`.
    """

    def attend(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, None]:
        import torch

        all_keys, all_values = torch.cat([keys, k[:, None]], 1), torch.cat([values, v[:, None]], 1)
        remembered.extend((all_keys, all_values))
        queries, keys_apart, values_apart = (
            x.unflatten(2, (n_head, -1)).transpose(1, 2) for x in (q[:, None], all_keys, all_values)
        )
        weights = ((queries @ keys_apart.mT) / queries.shape[3] ** 0.5).softmax(3)
        return (weights @ values_apart)[:, :, 0].flatten(1), None

    return attend
