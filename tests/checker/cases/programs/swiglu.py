"""A gated feed-forward layer: silu(gate) times value, sigmoid named."""

import torch

N, D, M = 5, 4, 6
g = torch.Generator().manual_seed(7)
inp = torch.randn(N, D, generator=g)
label = torch.randint(0, 2, (N,), generator=g).float()
Wg = torch.randn(D, M, generator=g, requires_grad=True)
Wv = torch.randn(D, M, generator=g, requires_grad=True)
Wo = torch.randn(M, generator=g, requires_grad=True)
bo = torch.zeros(1, requires_grad=True)

# forward
gate = inp @ Wg
value = inp @ Wv
sig = torch.sigmoid(gate)
act = gate * sig
prod = act * value
logit = prod @ Wo + bo
prob = torch.sigmoid(logit)
loss = -(label * prob.log() + (1 - label) * (1 - prob).log()).mean()

# backward
dprob = -(label / prob - (1 - label) / (1 - prob)) / N
dlogit = dprob * prob * (1 - prob)
dWo = prod.T @ dlogit
dbo = dlogit.sum(0, keepdim=True)
dprod = dlogit[:, None] * Wo
dact = dprod * value
dvalue = dprod * act
dsig = dact * gate
dgate = dact * sig + dsig * sig * (1 - sig)
dWg = inp.T @ dgate
dWv = inp.T @ dvalue
