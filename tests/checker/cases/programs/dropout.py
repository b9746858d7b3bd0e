"""Inverted dropout with a seeded mask between two linear layers."""

import torch

n, n_in, n_mid, n_out = 6, 4, 9, 3
keep = 0.75
g = torch.Generator().manual_seed(15)
X = torch.randn(n, n_in, generator=g)
Y = torch.randn(n, n_out, generator=g)
W1 = torch.randn(n_in, n_mid, generator=g, requires_grad=True)
b1 = torch.randn(n_mid, generator=g, requires_grad=True)
W2 = torch.randn(n_mid, n_out, generator=g, requires_grad=True)
dropout_mask = torch.rand(n, n_mid, generator=g) < keep

# forward
pre = X @ W1 + b1
act = torch.relu(pre)
dropped = act * dropout_mask / keep
out = dropped @ W2
resid = out - Y
loss = resid.abs().mean()

# backward
dresid = resid.sign() / resid.numel()
dout = dresid.clone()
ddropped = dout @ W2.T
dW2 = dropped.T @ dout
dact = ddropped * dropout_mask / keep
dpre = dact.clone()
dpre[pre <= 0] = 0
dW1 = X.T @ dpre
db1 = dpre.sum(0)
