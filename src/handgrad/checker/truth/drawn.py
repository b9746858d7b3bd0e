"""Other numbers for gradients, parameters and inputs."""

from collections.abc import Callable, Collection

import torch
from torch import Tensor

Change = Callable[[str, Tensor], Tensor]


def random_like(reference: Tensor, generator: torch.Generator, *, dense: bool = False) -> Tensor:
    """A random gradient of the size of `reference`, with its exact zeros unless it is to be `dense`."""
    noise = torch.randn(reference.shape, generator=generator, dtype=torch.float64).to(reference.dtype)
    return noise if dense else noise * (reference != 0)


def other_values(generator: torch.Generator, trained: Collection[str], shrink: float = 1.0) -> Change:
    """Other numbers for parameters and inputs; masks, which have few different values, stay.

    A constant tensor is changed only where its name is among those `trained`.
    """

    def change(name: str, tensor: Tensor) -> Tensor:
        if tensor.numel() == 0 or tensor.layout is not torch.strided or not bool(torch.isfinite(tensor).all()):
            return tensor
        noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64).to(tensor.dtype)
        low, high = float(tensor.min()), float(tensor.max())
        if low == high:
            return tensor + 0.1 * noise if tensor.dim() and name in trained else tensor
        if tensor.numel() > 4 and tensor.unique().numel() <= 2:
            return tensor
        changed = tensor * (1 + 0.3 * noise.clamp(-2, 2))
        return shrink * changed

    return change
