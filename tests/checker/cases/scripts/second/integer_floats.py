"""Whole numbers as floats, exact zeros in a product, and an absolute value at zero."""

import torch

x = torch.tensor([[1.0, 2.0, 0.0], [0.0, -3.0, 4.0]], requires_grad=True)
w = torch.tensor([2.0, 0.0, -1.0], requires_grad=True)
k = torch.tensor([[1.0], [0.0]], requires_grad=True)

y = x * w
s = y.sum(1, keepdim=True)
z = s * k
a = z.abs()
r = torch.relu(z)
loss = a.sum() + 2 * r.sum() + (x * x).sum()

da = torch.ones_like(a)
dr = 2 * torch.ones_like(r)
dz = da * torch.sign(z) + dr * (z > 0)
ds = dz * k
dk = dz * s
dy = ds.expand(2, 3)
dx = dy * w + 2 * x
dw = (dy * x).sum(0)
