"""Three steps of a recurrent net with shared weights, one name a step."""

import torch

N, D, H = 4, 3, 6
g = torch.Generator().manual_seed(10)
x1 = torch.randn(N, D, generator=g)
x2 = torch.randn(N, D, generator=g)
x3 = torch.randn(N, D, generator=g)
goal = torch.randn(N, H, generator=g)
h0 = torch.randn(H, generator=g, requires_grad=True)
Wx = torch.randn(D, H, generator=g, requires_grad=True)
Wh = (torch.randn(H, H, generator=g) * 0.5).requires_grad_()
b = torch.randn(H, generator=g, requires_grad=True)

# forward
a1 = x1 @ Wx + h0 @ Wh + b
h1 = torch.tanh(a1)
a2 = x2 @ Wx + h1 @ Wh + b
h2 = torch.tanh(a2)
a3 = x3 @ Wx + h2 @ Wh + b
h3 = torch.tanh(a3)
summed = h1 + h2 + h3
loss = ((summed - goal) ** 2).mean()

# backward
dsummed = 2 * (summed - goal) / summed.numel()
dh3 = dsummed.clone()
da3 = (1 - h3**2) * dh3
dh2 = dsummed + da3 @ Wh.T
da2 = (1 - h2**2) * dh2
dh1 = dsummed + da2 @ Wh.T
da1 = (1 - h1**2) * dh1
dh0 = (da1 @ Wh.T).sum(0)
dWx = x1.T @ da1 + x2.T @ da2 + x3.T @ da3
dWh = torch.outer(h0, da1.sum(0)) + h1.T @ da2 + h2.T @ da3
db = (da1 + da2 + da3).sum(0)
