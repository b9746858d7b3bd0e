"""A two-dimensional convolution, its gradients by loops over the places of the window."""

import torch
import torch.nn.functional as F

N, Cin, Cout, S, K = 2, 3, 4, 6, 3
g = torch.Generator().manual_seed(23)
x = torch.randn(N, Cin, S, S, generator=g, requires_grad=True)
w = (torch.randn(Cout, Cin, K, K, generator=g) * 0.3).requires_grad_()
b = torch.randn(Cout, generator=g, requires_grad=True)
v = torch.randn(N, Cout, S - K + 1, S - K + 1, generator=g)

y = F.conv2d(x, w, b)
a = F.elu(y)
loss = (a * v).sum()

da = v
dy = da * torch.where(y > 0, torch.ones_like(y), y.exp())
db = dy.sum(dim=(0, 2, 3))
dw = torch.zeros_like(w)
dx = torch.zeros_like(x)
for i in range(S - K + 1):
    for j in range(S - K + 1):
        patch = x[:, :, i : i + K, j : j + K]
        up = dy[:, :, i, j]
        dw += torch.einsum("ncij,no->ocij", patch, up)
        dx[:, :, i : i + K, j : j + K] += torch.einsum("no,ocij->ncij", up, w)
