"""How far two tensors are apart, real or complex."""

import torch
from torch import Tensor


def same(made: list[Tensor], mine: list[Tensor], tolerance: float = 1e-6) -> bool:
    """Whether the values are the same to rounding."""
    return len(made) == len(mine) and all(
        a.shape == b.shape and distance(a, b) <= tolerance * (1 + size_of(b)) for a, b in zip(made, mine, strict=True)
    )


def distance(got: Tensor, want: Tensor) -> float:
    """The largest difference; a NaN or an infinity makes none where one is wanted."""
    if want.numel() == 0:
        return 0.0
    if want.is_complex() or got.is_complex():
        got, want = (torch.view_as_real(t.to(torch.complex128)) for t in (got, want))
    a, b = got.detach().double(), want.detach().double()
    same = (a == b) | (a.isnan() & b.isnan())
    return float(torch.where(same, 0.0, (a - b).abs().nan_to_num(torch.inf, torch.inf, torch.inf)).max())


def size_of(tensor: Tensor) -> float:
    """The largest finite value."""
    return float(tensor.detach().abs().nan_to_num(0.0, 0.0, 0.0).max()) if tensor.numel() else 0.0
