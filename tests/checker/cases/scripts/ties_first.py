"""Ties in a maximum: `max(dim)` sends the gradient to the index that it returns."""

import torch

x = torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [0.0, -1.0, -4.0], [5.0, 1.0, 5.0]], requires_grad=True)
weight = torch.tensor([0.3, -1.2, 2.5, 0.7])

best = x.max(1)
top = best.values
scaled = top * weight
loss = scaled.sum()

dscaled = torch.ones_like(scaled)
dtop = weight * dscaled
dx = torch.zeros_like(x)
dx[torch.arange(4), best.indices] = dtop
