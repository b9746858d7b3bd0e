"""RMS norm with a learned gain, and a linear read-out under a mean absolute-like (softplus) loss."""

import torch

N, D, V = 7, 6, 4
eps = 1e-3
g = torch.Generator().manual_seed(2)
tokens = torch.randint(0, 9, (N,), generator=g)
target = torch.randn(N, V, generator=g)
table = torch.randn(9, D, generator=g, requires_grad=True)
gain = (1 + 0.3 * torch.randn(D, generator=g)).requires_grad_()
head = torch.randn(D, V, generator=g, requires_grad=True)

# forward
x = table[tokens]
ms = x.square().mean(-1, keepdim=True)
rms_inv = torch.rsqrt(ms + eps)
xn = x * rms_inv
y = xn * gain
scores = y @ head
margin = scores * target
cost = torch.log1p(torch.exp(-margin))
loss = cost.sum() / N

# backward
dcost = torch.full_like(cost, 1.0 / N)
dmargin = -dcost * torch.exp(-margin) / (1 + torch.exp(-margin))
dscores = dmargin * target
dhead = y.T @ dscores
dy = dscores @ head.T
dgain = (dy * xn).sum(0)
dxn = dy * gain
drms_inv = (dxn * x).sum(-1, keepdim=True)
dms = -0.5 * rms_inv**3 * drms_inv
dx = dxn * rms_inv + 2.0 / D * x * dms
dtable = torch.zeros_like(table).index_add(0, tokens, dx)
