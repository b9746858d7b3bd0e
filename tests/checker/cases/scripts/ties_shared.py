"""Ties in a maximum: `amax` shares the gradient among the tied entries."""

import torch

x = torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [0.0, -1.0, -4.0], [5.0, 1.0, 5.0]], requires_grad=True)
weight = torch.tensor([0.3, -1.2, 2.5, 0.7])

top = x.amax(1)
scaled = top * weight
loss = scaled.sum()

dscaled = torch.ones_like(scaled)
dtop = dscaled * weight
tied = (x == top[:, None]).to(x.dtype)
dx = tied / tied.sum(1, keepdim=True) * dtop[:, None]
