"""Batch norm whose normalised value is named in the backward pass alone."""

import torch

torch.manual_seed(101)
x = torch.randn(7, 5)
A = torch.randn(5, 5, requires_grad=True)
w = torch.randn(5, requires_grad=True)
g = torch.ones(5, requires_grad=True)

z = x @ A
mu = z.mean(0)
sd = ((z - mu) ** 2).mean(0).add(1e-5).sqrt()
bn = g * (z - mu) / sd
pred = bn @ w
loss = (pred**2).mean()

dpred = 2 * pred / 7
dbn = torch.outer(dpred, w)
xn = (z - mu) / sd
dxn = dbn * g
dz = (dxn - dxn.mean(0) - xn * (dxn * xn).mean(0)) / sd
dA = x.T @ dz
