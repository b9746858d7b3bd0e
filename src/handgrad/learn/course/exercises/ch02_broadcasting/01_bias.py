"""Broadcasting repeats in the forward pass, so the backward pass sums.

    y[0] = x[0] + b        the same b in every row:
    y[1] = x[1] + b        N paths from b to the loss,
    y[2] = x[2] + b        N parts of db

The gradient of a variable always has the shape of the variable.
"""

import torch

# Setup: sizes, seed and random inputs.
N, D = 5, 7
g = torch.Generator().manual_seed(1)
x = torch.randn(N, D, generator=g)  # (N, D)
b = torch.randn(D, generator=g)  # (D,)
upstream = torch.randn(N, D, generator=g)  # (N, D)

# Forward pass.
y = x + b  # (N, D)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
dx = None
db = None
