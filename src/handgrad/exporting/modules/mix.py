"""Mixtures."""

import math

import torch
from torch import Tensor, nn

from handgrad.exporting.modules.base import LanguageModel


class Mix(LanguageModel):
    """The weighted mean of the probabilities of other models."""

    def __init__(self, parts: list[LanguageModel], weights: list[float]):
        super().__init__()
        self.parts, self.weights = nn.ModuleList(parts), weights
        self.longest = min((part.longest for part in parts if part.longest), default=None)

    def forward(self, tokens: Tensor) -> Tensor:
        weighted = [part(tokens) + math.log(weight) for part, weight in zip(self.parts, self.weights, strict=True)]
        return torch.stack(weighted).logsumexp(0)
