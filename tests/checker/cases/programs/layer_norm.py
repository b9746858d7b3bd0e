"""Layer norm over the features, cut into steps, under a squared error."""

import torch

B, D, K = 6, 5, 3
eps = 1e-5
g = torch.Generator().manual_seed(1)
X = torch.randn(B, 4, generator=g)
Y = torch.randn(B, K, generator=g)
W0 = (torch.randn(4, D, generator=g) * 0.7).requires_grad_()
gain = (torch.randn(D, generator=g) * 0.2 + 1).requires_grad_()
bias = (torch.randn(D, generator=g) * 0.2).requires_grad_()
W1 = (torch.randn(D, K, generator=g) * 0.5).requires_grad_()

# forward
x = X @ W0
mean = x.mean(1, keepdim=True)
xc = x - mean
xc2 = xc**2
var = xc2.mean(1, keepdim=True)
std = (var + eps).sqrt()
xhat = xc / std
y = gain * xhat + bias
out = y @ W1
err = out - Y
loss = (err**2).mean()

# backward
derr = 2 * err / err.numel()
dout = derr.clone()
dy = dout @ W1.T
dW1 = y.T @ dout
dgain = (dy * xhat).sum(0)
dbias = dy.sum(0)
dxhat = dy * gain
dstd = -(dxhat * xc / std**2).sum(1, keepdim=True)
dvar = dstd * 0.5 / std
dxc2 = dvar.expand(B, D) / D
dxc = dxhat / std + 2 * xc * dxc2
dmean = -dxc.sum(1, keepdim=True)
dx = dxc + dmean / D
dW0 = X.T @ dx
