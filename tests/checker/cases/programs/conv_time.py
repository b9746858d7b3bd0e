"""A convolution over time as a sum over taps, ReLU, mean over time, linear read-out."""

import torch

B, T, D, M, width = 3, 8, 4, 5, 2
T_out = T - width + 1
g = torch.Generator().manual_seed(12)
x = torch.randn(B, T, D, generator=g, requires_grad=True)
kernel = (torch.randn(width, D, M, generator=g) * 0.5).requires_grad_()
bias = (torch.randn(M, generator=g) * 0.3).requires_grad_()
head = torch.randn(M, generator=g, requires_grad=True)
goal = torch.randn(B, generator=g)

# forward
windows = x.unfold(1, width, 1)
z = torch.einsum("btdw,wdm->btm", windows, kernel) + bias
a = z.relu()
pooled = a.mean(1)
pred = pooled @ head
miss = pred - goal
loss = (miss * miss).mean()

# backward
dmiss = 2 * miss / B
dpred = dmiss.clone()
dhead = pooled.T @ dpred
dpooled = dpred.unsqueeze(1) * head
da = dpooled.unsqueeze(1).expand(B, T_out, M) / T_out
dz = da * (z > 0)
dbias = dz.sum((0, 1))
dkernel = torch.einsum("btdw,btm->wdm", windows, dz)
dwindows = torch.einsum("btm,wdm->btdw", dz, kernel)
dx = torch.zeros_like(x)
for w in range(width):
    dx[:, w : w + T_out] += dwindows[..., w]
