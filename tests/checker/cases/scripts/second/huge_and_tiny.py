"""Scales from 1e-12 to 1e12 in float64 beside one another; log-sum-exp far from zero."""

import torch

torch.set_default_dtype(torch.double)
torch.manual_seed(4)
u = torch.randn(4, 3) * 1e12
v = (torch.randn(3) * 1e-12).requires_grad_()
q = torch.randn(4, requires_grad=True)
off = torch.tensor([700.0, -700.0, 0.0, 30.0])

lin = u @ v
act = torch.tanh(lin)
shifted = act * q + off
top = shifted.max()
lse = (shifted - top).exp().sum().log() + top
loss = 1e6 * lse + 1e-6 * (q**2).sum()

dlse = torch.tensor(1e6)
dshifted = torch.softmax(shifted, 0) * dlse
dq = dshifted * act + 2e-6 * q
dact = dshifted * q
dlin = dact * (1 - act**2)
dv = u.t() @ dlin
