"""Causal self-attention with several heads and one fused projection, in float64."""

import torch

torch.set_default_dtype(torch.float64)
B, T, n_head, hs = 2, 5, 3, 4
n_embd = n_head * hs
g = torch.Generator().manual_seed(5)
x = torch.randn(B, T, n_embd, generator=g, requires_grad=True)
Wqkv = (torch.randn(n_embd, 3 * n_embd, generator=g) / n_embd**0.5).requires_grad_()
bqkv = (torch.randn(3 * n_embd, generator=g) * 0.1).requires_grad_()
Wo = (torch.randn(n_embd, n_embd, generator=g) / n_embd**0.5).requires_grad_()
bo = (torch.randn(n_embd, generator=g) * 0.1).requires_grad_()
weight = torch.randn(B, T, n_embd, generator=g)
keep = torch.ones(T, T).tril().bool()

# forward
qkv = x @ Wqkv + bqkv
q, k, v = qkv.split(n_embd, dim=2)
qh = q.view(B, T, n_head, hs).transpose(1, 2)
kh = k.view(B, T, n_head, hs).transpose(1, 2)
vh = v.view(B, T, n_head, hs).transpose(1, 2)
att = (qh @ kh.transpose(-2, -1)) * hs**-0.5
causal = torch.where(keep, att, torch.tensor(-1e9))
weights = causal.softmax(-1)
yh = weights @ vh
y = yh.transpose(1, 2).contiguous().view(B, T, n_embd)
out = y @ Wo + bo
loss = (out * weight).sum()

# backward
dout = weight.clone()
dy = dout @ Wo.T
dWo = torch.einsum("btc,btd->cd", y, dout)
dbo = dout.sum((0, 1))
dyh = dy.view(B, T, n_head, hs).transpose(1, 2)
dweights = dyh @ vh.transpose(-2, -1)
dvh = weights.transpose(-2, -1) @ dyh
dcausal = weights * (dweights - (weights * dweights).sum(-1, keepdim=True))
datt = torch.where(keep, dcausal, torch.zeros_like(dcausal))
dqh = datt @ kh * hs**-0.5
dkh = datt.transpose(-2, -1) @ qh * hs**-0.5
dq = dqh.transpose(1, 2).reshape(B, T, n_embd)
dk = dkh.transpose(1, 2).reshape(B, T, n_embd)
dv = dvh.transpose(1, 2).reshape(B, T, n_embd)
dqkv = torch.cat([dq, dk, dv], dim=2)
dx = dqkv @ Wqkv.T
dWqkv = torch.einsum("btc,btd->cd", x, dqkv)
dbqkv = dqkv.sum((0, 1))
