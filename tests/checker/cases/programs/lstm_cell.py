"""One step of a long short-term memory cell, its four gates in one product."""

import torch

N, K, H = 4, 3, 5
g = torch.Generator().manual_seed(9)
x = torch.randn(N, K, generator=g)
h0 = torch.randn(N, H, generator=g, requires_grad=True)
c0 = torch.randn(N, H, generator=g, requires_grad=True)
wh = torch.randn(N, H, generator=g)
wc = torch.randn(N, H, generator=g)
Wx = (torch.randn(K, 4 * H, generator=g) * 0.5).requires_grad_()
Wh = (torch.randn(H, 4 * H, generator=g) * 0.5).requires_grad_()
b = (torch.randn(4 * H, generator=g) * 0.5).requires_grad_()

# forward
gates = x @ Wx + h0 @ Wh + b
i = torch.sigmoid(gates[:, :H])
f = torch.sigmoid(gates[:, H : 2 * H])
o = torch.sigmoid(gates[:, 2 * H : 3 * H])
cc = torch.tanh(gates[:, 3 * H :])
c1 = f * c0 + i * cc
tc = torch.tanh(c1)
h1 = o * tc
loss = (h1 * wh).sum() + (c1 * wc).sum()

# backward
dh1 = wh.clone()
do = dh1 * tc
dtc = dh1 * o
dc1 = wc + dtc * (1 - tc**2)
df = dc1 * c0
dc0 = dc1 * f
di = dc1 * cc
dcc = dc1 * i
dgates = torch.cat([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dcc * (1 - cc**2)], dim=1)
dWx = x.T @ dgates
dWh = h0.T @ dgates
db = dgates.sum(0)
dh0 = dgates @ Wh.T
