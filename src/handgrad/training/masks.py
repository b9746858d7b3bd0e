"""Dropout masks: functions of seed, step and name alone, so that a run can be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from handgrad.models.dropping import place_of
from handgrad.models.family import Family, Masks

if TYPE_CHECKING:
    from torch import Tensor


def masks_of_step(
    network: Family, seed: int, step: int, X: Tensor, Y: Tensor, lines: slice = slice(None)
) -> Masks | None:
    """What makes the dropout masks of a step, which are drawn for its whole minibatch; None for what drops nothing.

    Args:
        network: the family and its sizes.
        seed: of the run.
        step: of the run.
        X: (B, T) tokens read, of the whole minibatch.
        Y: (B, T) tokens that follow.
        lines: those which are here.
    """
    share = share_dropped(network)
    if not share:
        return None
    import torch

    rows, n_targets = network.mask_rows(X, Y, lines).cpu().numpy(), int((Y >= 0).sum())

    def mask(name: str, like: Tensor) -> Tensor:
        drawn = dropout_mask(share, (seed, step), name, (n_targets, like.shape[1]), rows)
        return torch.from_numpy(drawn).to(like.device, like.dtype)

    return mask


def share_dropped(network: Family) -> float:
    """The share of activations that a training step leaves out."""
    return getattr(network, "dropout", 0.0)


def dropout_mask(
    share: float, key: tuple[int, int], name: str, shape: tuple[int, ...], rows: slice | np.ndarray = slice(None)
) -> np.ndarray:
    """A mask that is 0 with probability `share`, else 1 / (1 − share).

    One Philox stream belongs to each seed, step and name. A 32-bit word below share · 2³² drops its number.

    Args:
        share: from 0 up to, but not, 1.
        key: the seed and the step, each below 2⁶⁴.
        name: which of the masks of the step.
        shape: of the mask.
        rows: which of it are wanted, in which order.

    Returns:
        float32, of that shape, or as many rows.

    Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".

    Example:
        >>> mask = dropout_mask(0.25, (1, 0), "h", (1000, 10))
        >>> np.unique(mask).round(3), round(float((mask == 0).mean()), 2)
        (array([0.   , 1.333], dtype=float32), 0.25)
    """
    size = int(np.prod(shape))
    counter = np.array([0, 0, place_of(name), 1], np.uint64)
    stream = np.random.Philox(key=np.array(key, np.uint64), counter=counter)
    words = stream.random_raw(-(-size // 2)).view(np.uint32)[:size]
    wanted = words.reshape(shape)[rows]
    return ((wanted >= np.uint32(share * 2**32)) / np.float32(1 - share)).astype(np.float32)
