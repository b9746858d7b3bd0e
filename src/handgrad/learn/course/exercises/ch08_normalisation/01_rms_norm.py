"""Divide each row by its root mean square.

    x ------------------------------------> xhat
    '--> mean_square --> inv_rms ------------^

Batch norm goes over the rows of a column; this goes over the D features of a row.
"""

import torch

# Setup: sizes, seed and random inputs.
N, D = 5, 7
g = torch.Generator().manual_seed(1)
x = torch.randn(N, D, generator=g)  # (N, D)
gain = torch.randn(D, generator=g)  # (D,)
upstream = torch.randn(N, D, generator=g)  # (N, D)

# Forward pass.
mean_square = (x**2).mean(1, keepdim=True)  # (N, 1)
inv_rms = (mean_square + 1e-5) ** -0.5  # (N, 1)
xhat = x * inv_rms  # (N, D)
y = gain * xhat  # (N, D)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
dgain = None
dxhat = None
dinv_rms = None
dmean_square = None
dx = None
