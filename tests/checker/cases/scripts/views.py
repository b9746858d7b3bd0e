"""Transposed, strided and reversed views as inputs and as gradients."""

import torch

g = torch.Generator().manual_seed(55)
base = torch.randn(6, 10, generator=g)
x = base.T[::2]
W = torch.randn(4, 6, generator=g, requires_grad=True)
goal = torch.randn(4, 5, generator=g)

Wt = W.transpose(0, 1)
y = x @ Wt
yt = y.permute(1, 0)
shifted = yt.roll(1, dims=1)
back = shifted.flip(0)
loss = ((back - goal) ** 2).sum() * 0.5

dback = back - goal
dshifted = dback.flip(0)
dyt = dshifted.roll(-1, dims=1)
dy = dyt.permute(1, 0)
dWt = x.T @ dy
dW = dWt.t()
