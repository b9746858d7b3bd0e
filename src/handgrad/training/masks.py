"""Dropout masks: functions of seed, step and name alone, so that a run can be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from handgrad.models.dropping import place_of
from handgrad.models.family import Family, Masks

if TYPE_CHECKING:
    from torch import Tensor


def masks_of_step(network: Family, seed: int, step: int) -> Masks | None:
    """What makes the dropout masks of a step; None for a model that drops nothing."""
    share = getattr(network, "dropout", 0.0)
    if not share:
        return None
    import torch

    def mask(name: str, like: Tensor) -> Tensor:
        drawn = dropout_mask(share, (seed, step), name, tuple(like.shape))
        return torch.from_numpy(drawn).to(like.device, like.dtype)

    return mask


def dropout_mask(share: float, key: tuple[int, int], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A mask that is 0 with probability `share`, else 1 / (1 − share).

    One Philox stream belongs to each seed, step and name. A 32-bit word below share · 2³² drops its number.

    Args:
        share: from 0 up to, but not, 1.
        key: the seed and the step, each below 2⁶⁴.
        name: which of the masks of the step.
        shape: of the mask.

    Returns:
        float32, of that shape.

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
    return ((words >= np.uint32(share * 2**32)) / np.float32(1 - share)).astype(np.float32).reshape(shape)
