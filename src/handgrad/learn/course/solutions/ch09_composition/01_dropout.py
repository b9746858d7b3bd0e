"""Dropout multiplies by a mask; the backward pass multiplies by the same mask.

    y = h * mask / keep        mask is 1 with probability keep, else 0

The division keeps the average of y where it was. The mask is drawn once and remembered.
"""

import torch

# Setup: sizes, seed and random inputs.
N, D, E = 5, 7, 3
keep = 0.8
g = torch.Generator().manual_seed(1)
x = torch.randn(N, D, generator=g)  # (N, D)
W = torch.randn(D, E, generator=g)  # (D, E)
mask = (torch.rand(N, E, generator=g) < keep).float()  # (N, E), zeros and ones
upstream = torch.randn(N, E, generator=g)  # (N, E)

# Forward pass.
h = x @ W  # (N, E)
y = h * mask / keep  # (N, E)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
dh = dy * mask / keep
dx = dh @ W.T
dW = x.T @ dh
