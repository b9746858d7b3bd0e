"""The network in plain torch, for autograd to differentiate: it shares nothing with the code under test."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F


def plain_loss(parameters: Mapping[str, Tensor], Xb: Tensor, Yb: Tensor) -> Tensor:
    """Mean loss of a minibatch."""
    p = parameters
    x = F.linear(F.embedding(Xb, p["C"]).flatten(1), p["W1"].T, p["b1"])
    variance, mean = torch.var_mean(x, 0, correction=1, keepdim=True)
    h = torch.tanh((x - mean) / torch.sqrt(variance + 1e-5) * p["bngain"] + p["bnbias"])
    return F.cross_entropy(F.linear(h, p["W2"].T, p["b2"]), Yb)
