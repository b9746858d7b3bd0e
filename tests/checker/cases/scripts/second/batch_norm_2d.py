"""Batch norm over pictures with running statistics kept besides, under no_grad, three ways of a mean."""

import torch

torch.manual_seed(70)
x = torch.randn(3, 2, 4, 4, requires_grad=True)
gamma = (1 + 0.1 * torch.randn(2)).requires_grad_()
beta = torch.zeros(2, requires_grad=True)
v = torch.randn(3, 2, 4, 4)
running_mean, running_var, momentum = torch.zeros(2), torch.ones(2), 0.1

mean = x.mean(dim=(0, 2, 3), keepdim=True)
var = x.var(dim=(0, 2, 3), unbiased=False, keepdim=True)
with torch.no_grad():
    running_mean += momentum * (mean.flatten() - running_mean)
    running_var += momentum * (var.flatten() - running_var)
xhat = (x - mean) / (var + 1e-5).sqrt()
y = gamma.view(1, -1, 1, 1) * xhat + beta.view(1, -1, 1, 1)
loss = (y * v).sum() / 3

dy = v / 3
dgamma = (dy * xhat).sum((0, 2, 3))
dbeta = dy.sum((0, 2, 3))
dxhat = dy * gamma[None, :, None, None]
size = x.numel() // x.shape[1]
inner = dxhat * size - dxhat.sum((0, 2, 3), keepdim=True) - xhat * (dxhat * xhat).sum((0, 2, 3), keepdim=True)
dx = inner / size / (var + 1e-5).sqrt()
