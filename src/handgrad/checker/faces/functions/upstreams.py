"""Upstream gradients as training gives them."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from handgrad.checker.faces.functions.inputs import Input
from handgrad.checker.faces.functions.subjects import Subject


@dataclass(frozen=True)
class Upstream:
    """One choice of upstream gradients: `words` says in a sentence when it comes, `advice` what helps.

    `only` is the one output that is used, where there are several; `wanted` the inputs that need a gradient.
    """

    kind: str
    words: str = ""
    advice: str = ""
    seed: int = 7
    only: int | None = None
    wanted: frozenset[Input] | None = None

    def __call__(self, outputs: list[Tensor]) -> list[Tensor | None]:
        """The upstream gradient of each output, the same values at each call."""
        generator = torch.Generator().manual_seed(self.seed)
        drawn = [_random(output, generator) for output in outputs]
        return [self._shaped(g) if self.only in (None, i) else None for i, g in enumerate(drawn)]

    def _shaped(self, gradient: Tensor) -> Tensor:
        if self.kind == "zeros":
            return torch.zeros_like(gradient)
        if self.kind == "expanded":
            return gradient.reshape(-1)[:1].reshape(()).expand(gradient.shape) if gradient.numel() else gradient
        if self.kind == "strided":
            return _strided(gradient)
        return gradient


RANDOM = Upstream("random")


def upstreams(subject: Subject, outputs: list[Tensor]) -> Iterator[Upstream]:
    """All that are tried, the plain one first."""
    arrays = any(one.array for one in subject.inputs)
    yield Upstream("random")
    yield Upstream("random", seed=8)
    if any(o.dim() for o in outputs):
        words = "the upstream gradient is not contiguous, as that of a transposed output"
        yield Upstream("strided", words, "make it contiguous first: {0} = {0}.contiguous()")
        if subject.engine and not arrays:
            words = "the upstream gradient is an expanded one, as .sum() gives"
            yield Upstream("expanded", words, "work on a copy: {0} = {0}.contiguous()")
    yield Upstream("zeros", "the upstream gradient is zero")
    if len(outputs) > 1:
        for i in range(len(outputs)):
            words = f"output {i + 1} of {len(outputs)} alone is used"
            yield Upstream("only", words, only=i)
    if subject.engine and 1 < len(subject.inputs) <= 6:
        for one in subject.inputs:
            yield Upstream("frozen", f"{one.text} alone needs a gradient", wanted=frozenset([one]))


def _random(output: Tensor, generator: torch.Generator) -> Tensor:
    dtype = torch.complex128 if output.is_complex() else torch.float64
    return torch.randn(output.shape, generator=generator, dtype=dtype).to(output.dtype)


def _strided(gradient: Tensor) -> Tensor:
    """The same values, other strides."""
    if gradient.dim() >= 2 and min(gradient.shape[-2:]) > 1:
        return gradient.transpose(-1, -2).contiguous().transpose(-1, -2)
    return torch.stack([gradient, torch.zeros_like(gradient)], -1)[..., 0]
