"""One input used by four steps, its gradient gathered piece by piece as each step is undone."""

import torch

g = torch.Generator().manual_seed(88)
x = torch.randn(4, 3, generator=g, requires_grad=True)
k = torch.rand(3, generator=g) + 0.5

a = x * k
b = x.exp()
c = x.sum(1, keepdim=True)
d = a + b * c
e = d / (1 + x**2)
loss = e.sum()

de = torch.ones_like(e)
dd = de / (1 + x**2)
dx = -de * d * 2 * x / (1 + x**2) ** 2
da = dd.clone()
db = dd * c
dc = (dd * b).sum(1, keepdim=True)
dx += da * k
dx += db * b
dx += dc.expand_as(x)
