"""Dropout in a model that may have none."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import handgrad
from handgrad.models.family import Masks, numbers_of_targets

if TYPE_CHECKING:
    from torch import Tensor

    from handgrad.ops import DropoutCache


def drop(masks: Masks | None, name: str, x: Tensor) -> tuple[Tensor, DropoutCache | None]:
    """`x` with the mask of that name, and what `drop_backward` needs; `x` itself where there are no masks."""
    return (x, None) if masks is None else handgrad.ops.dropout_forward(x, masks(name, x))


def drop_backward(dy: Tensor, cache: DropoutCache | None) -> Tensor:
    """The gradient of the argument of `drop`."""
    return dy if cache is None else handgrad.ops.dropout_backward(dy, cache).dx


def rows_by_beginnings(X: Tensor, Y: Tensor) -> Tensor:
    """For each place of some lines a row of the masks, (B, T), the same wherever lines have begun alike up to there.

    It is that of the first target behind that beginning; targets are counted in the order of the text, without those
    that pad.

    Args:
        X: (B, T) tokens read.
        Y: (B, T) tokens that follow; −1 behind the end.
    """
    return numbers_of_targets(Y).gather(0, first_alike(X))


def first_alike(X: Tensor) -> Tensor:
    """For each place the first line of those that have begun alike up to there, (B, T).

    Example:
        >>> import torch
        >>> first_alike(torch.tensor([[0, 1, 2], [0, 2, 2], [0, 1, 3]]))
        tensor([[0, 0, 0],
                [0, 1, 1],
                [0, 0, 2]])
    """
    import torch

    n_lines, several = len(X), int(X.max()) + 1
    now, firsts = torch.zeros_like(X[:, 0]), []
    for tokens in X.unbind(1):
        _, kind = (now * several + tokens).unique(return_inverse=True)
        lines = torch.arange(n_lines, device=X.device)
        now = torch.full_like(lines, n_lines).scatter_reduce(0, kind, lines, "amin")[kind]
        firsts.append(now)
    return torch.stack(firsts, 1)


def place_of(name: str) -> int:
    """Where among the random numbers of a step those of a mask begin."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
