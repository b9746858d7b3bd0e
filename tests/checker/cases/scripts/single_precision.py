"""A long float32 sum whose elements cancel: right, and not to the last bit."""

import torch

g = torch.Generator().manual_seed(99)
x = torch.randn(500, 12, generator=g, dtype=torch.float32)
w = torch.randn(12, generator=g, dtype=torch.float32, requires_grad=True)
y = torch.randn(500, generator=g, dtype=torch.float32)

pred = x.float() @ w.float()
error = pred - y
loss = error.square().mean().float()

derror = (2.0 / 500) * error.float()
dpred = derror.to(torch.float32)
dw = torch.zeros(12, dtype=torch.float32)
for row, up in zip(x, dpred, strict=True):
    dw += row * up
