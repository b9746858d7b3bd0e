"""Tensors of one element everywhere, some without dimensions, some with three."""

import torch

x = torch.tensor([[[0.5]]])
w = torch.tensor([[1.5]], requires_grad=True)
b = torch.tensor([-0.25], requires_grad=True)
c = torch.tensor(2.0, requires_grad=True)

y = x @ w + b
z = c * torch.sigmoid(y)
p = z.mean()
loss = (p - 1) ** 2

dp = 2 * (p - 1)
dz = dp.expand(1, 1, 1)
sig = torch.sigmoid(y)
dc = (dz * sig).sum()
dy = dz * c * sig * (1 - sig)
dw = (x.transpose(1, 2) @ dy).sum(0)
db = dy.reshape(1)
