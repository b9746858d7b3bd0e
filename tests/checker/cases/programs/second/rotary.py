"""Rotary position embedding of queries and keys, RMS-normed first, as one would write it after reading LLaMA."""

import torch

g = torch.Generator().manual_seed(77)
T, d = 5, 6
half = d // 2
h = torch.randn(T, d, generator=g, requires_grad=True)
w = (torch.rand(d, generator=g) + 0.5).requires_grad_()
Wq = torch.randn(d, d, generator=g, requires_grad=True)
Wk = torch.randn(d, d, generator=g, requires_grad=True)
pull = torch.randn(T, T, generator=g)

freqs = 10000.0 ** (-torch.arange(half) / half)
angles = torch.arange(T)[:, None] * freqs[None, :]
cos, sin = angles.cos(), angles.sin()

# forward
r = torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-6)
hn = h * r * w
q = hn @ Wq
k = hn @ Wk
q1, q2 = q[:, :half], q[:, half:]
k1, k2 = k[:, :half], k[:, half:]
qr = torch.cat([q1 * cos - q2 * sin, q1 * sin + q2 * cos], dim=-1)
kr = torch.cat([k1 * cos - k2 * sin, k1 * sin + k2 * cos], dim=-1)
sim = qr @ kr.T / d**0.5
loss = (sim * pull).sum()

# backward
dsim = pull
dqr = dsim @ kr / d**0.5
dkr = dsim.T @ qr / d**0.5
dq1 = dqr[:, :half] * cos + dqr[:, half:] * sin
dq2 = -dqr[:, :half] * sin + dqr[:, half:] * cos
dk1 = dkr[:, :half] * cos + dkr[:, half:] * sin
dk2 = -dkr[:, :half] * sin + dkr[:, half:] * cos
dq = torch.cat([dq1, dq2], dim=-1)
dk = torch.cat([dk1, dk2], dim=-1)
dWq = hn.T @ dq
dWk = hn.T @ dk
dhn = dq @ Wq.T + dk @ Wk.T
dw = (dhn * h * r).sum(0)
dr = (dhn * w * h).sum(-1, keepdim=True)
dh = dhn * w * r
dh = dh - dr * r**3 * h / d
