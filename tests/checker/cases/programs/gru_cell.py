"""One step of a gated recurrent unit."""

import torch

N, K, H = 6, 3, 5
g = torch.Generator().manual_seed(8)
x = torch.randn(N, K, generator=g)
h0 = torch.randn(N, H, generator=g, requires_grad=True)
goal = torch.randn(N, H, generator=g)
Wr = torch.randn(K, H, generator=g, requires_grad=True)
Ur = torch.randn(H, H, generator=g, requires_grad=True)
br = torch.randn(H, generator=g, requires_grad=True)
Wz = torch.randn(K, H, generator=g, requires_grad=True)
Uz = torch.randn(H, H, generator=g, requires_grad=True)
bz = torch.randn(H, generator=g, requires_grad=True)
Wn = torch.randn(K, H, generator=g, requires_grad=True)
Un = torch.randn(H, H, generator=g, requires_grad=True)
bn = torch.randn(H, generator=g, requires_grad=True)

# forward
rpre = x @ Wr + h0 @ Ur + br
r = torch.sigmoid(rpre)
zpre = x @ Wz + h0 @ Uz + bz
z = torch.sigmoid(zpre)
rh = r * h0
npre = x @ Wn + rh @ Un + bn
cand = torch.tanh(npre)
h1 = (1 - z) * cand + z * h0
loss = 0.5 * (h1 - goal).square().sum() / N

# backward
dh1 = (h1 - goal) / N
dz = (h0 - cand) * dh1
dcand = (1 - z) * dh1
dnpre = (1 - cand**2) * dcand
drh = dnpre @ Un.T
dr = drh * h0
dzpre = z * (1 - z) * dz
drpre = r * (1 - r) * dr
dh0 = z * dh1 + r * drh + dzpre @ Uz.T + drpre @ Ur.T
dWr = x.T @ drpre
dUr = h0.T @ drpre
dbr = drpre.sum(0)
dWz = x.T @ dzpre
dUz = h0.T @ dzpre
dbz = dzpre.sum(0)
dWn = x.T @ dnpre
dUn = rh.T @ dnpre
dbn = dnpre.sum(0)
