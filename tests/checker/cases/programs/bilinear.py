"""A bilinear form written with einsum throughout, under a log-cosh loss."""

import torch

N, P, Q, R = 7, 3, 4, 5
g = torch.Generator().manual_seed(18)
left = torch.randn(N, P, generator=g, requires_grad=True)
right = torch.randn(N, Q, generator=g, requires_grad=True)
core = torch.randn(P, Q, R, generator=g, requires_grad=True)
shift = torch.randn(R, generator=g, requires_grad=True)
goal = torch.randn(N, R, generator=g)

# forward
half = torch.einsum("np,pqr->nqr", left, core)
prod = torch.einsum("nqr,nq->nr", half, right)
out = prod + shift
gap = out - goal
cosh = torch.cosh(gap)
logcosh = torch.log(cosh)
loss = torch.einsum("nr->", logcosh) / (N * R)

# backward
dlogcosh = torch.ones_like(logcosh) / (N * R)
dcosh = dlogcosh / cosh
dgap = dcosh * torch.sinh(gap)
dout = dgap.clone()
dshift = torch.einsum("nr->r", dout)
dprod = dout.clone()
dhalf = torch.einsum("nr,nq->nqr", dprod, right)
dright = torch.einsum("nqr,nr->nq", half, dprod)
dleft = torch.einsum("nqr,pqr->np", dhalf, core)
dcore = torch.einsum("np,nqr->pqr", left, dhalf)
