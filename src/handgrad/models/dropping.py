"""Dropout in a model that may have none."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import handgrad
from handgrad.models.family import Masks

if TYPE_CHECKING:
    from torch import Tensor

    from handgrad.ops import DropoutCache


def drop(masks: Masks | None, name: str, x: Tensor) -> tuple[Tensor, DropoutCache | None]:
    """`x` with the mask of that name, and what `drop_backward` needs; `x` itself where there are no masks."""
    return (x, None) if masks is None else handgrad.ops.dropout_forward(x, masks(name, x))


def drop_backward(dy: Tensor, cache: DropoutCache | None) -> Tensor:
    """The gradient of the argument of `drop`."""
    return dy if cache is None else handgrad.ops.dropout_backward(dy, cache).dx


def place_of(name: str) -> int:
    """Where among the random numbers of a step those of a mask begin."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
