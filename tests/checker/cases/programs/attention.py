"""One head of causal self-attention."""

import math

import torch

B, T, D, H = 2, 5, 6, 4
g = torch.Generator().manual_seed(4)
X = torch.randn(B, T, 3, generator=g)
goal = torch.randn(B, T, H, generator=g)
Wx = torch.randn(3, D, generator=g, requires_grad=True)
Wq = (torch.randn(D, H, generator=g) * 0.5).requires_grad_()
Wk = (torch.randn(D, H, generator=g) * 0.5).requires_grad_()
Wv = (torch.randn(D, H, generator=g) * 0.5).requires_grad_()
mask = torch.tril(torch.ones(T, T)) == 0

# forward
x = X @ Wx
q = x @ Wq
k = x @ Wk
v = x @ Wv
scores = q @ k.transpose(-2, -1)
scaled = scores / math.sqrt(H)
masked = scaled.masked_fill(mask, float("-inf"))
att = torch.softmax(masked, dim=-1)
out = att @ v
err = out - goal
loss = err.pow(2).sum() / (B * T)

# backward
derr = 2 * err / (B * T)
dout = derr
datt = dout @ v.transpose(-2, -1)
dv = att.transpose(-2, -1) @ dout
dmasked = att * (datt - (datt * att).sum(-1, keepdim=True))
dscaled = dmasked.masked_fill(mask, 0.0)
dscores = dscaled / math.sqrt(H)
dq = dscores @ k
dk = dscores.transpose(-2, -1) @ q
dWq = x.reshape(-1, D).T @ dq.reshape(-1, H)
dWk = x.reshape(-1, D).T @ dk.reshape(-1, H)
dWv = x.reshape(-1, D).T @ dv.reshape(-1, H)
dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
dWx = X.reshape(-1, 3).T @ dx.reshape(-1, D)
