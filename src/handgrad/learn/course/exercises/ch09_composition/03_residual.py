"""A residual adds its input back, so the gradient has a way around the branch.

    x ---------------------------> y
    '--> x @ W --> dropout ---------^

dx is dy, and what comes back through the branch. Three lines are enough.
"""

import torch

# Setup: sizes, seed and random inputs.
N, D = 5, 7
keep = 0.8
g = torch.Generator().manual_seed(1)
x = torch.randn(N, D, generator=g)  # (N, D)
W = torch.randn(D, D, generator=g)  # (D, D)
mask = (torch.rand(N, D, generator=g) < keep).float()  # (N, D)
upstream = torch.randn(N, D, generator=g)  # (N, D)

# Forward pass.
y = x + (x @ W) * mask / keep  # (N, D)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
dW = None
dx = None
