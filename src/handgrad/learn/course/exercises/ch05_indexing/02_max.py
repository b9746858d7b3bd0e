"""A maximum picks: only the greatest element gets the gradient.

    m[n] = the greatest of x[n,0], ..., x[n,D-1]

Taking the maximum off every row is what makes softmax safe from overflow.
"""

import torch

# Setup: sizes, seed and random inputs.
N, D = 5, 7
g = torch.Generator().manual_seed(1)
x = torch.randn(N, D, generator=g)  # (N, D)
upstream = torch.randn(N, D, generator=g)  # (N, D)

# Forward pass.
m = x.max(1, keepdim=True).values  # (N, 1)
y = x - m  # (N, D)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
dm = None
dx = None
