"""Gradients near the smallest that single precision tells apart from zero, and large ones beside them."""

import torch

g = torch.Generator().manual_seed(77)
x = torch.randn(5, 3, generator=g) * 1e-6
w = (torch.randn(3, 2, generator=g) * 1e-5).requires_grad_()
c = (torch.randn(2, generator=g) * 1e4).requires_grad_()

y = x @ w
z = y * c
loss = (z * z).sum() + 1e-3 * c.sum()

dz = 2 * z
dy = dz * c
dw = x.T @ dy
dc = (dz * y).sum(0) + 1e-3
