"""The backward pass of a sum repeats.

    s[n] = x[n,0] + x[n,1] + ... + x[n,D-1]

Every element of row n is added into s[n] with the factor 1, so each gets the same ds[n].
"""

import torch

# Setup: sizes, seed and random inputs.
N, D = 5, 7
g = torch.Generator().manual_seed(1)
x = torch.randn(N, D, generator=g)  # (N, D)
upstream = torch.randn(N, D, generator=g)  # (N, D)

# Forward pass.
s = x.sum(1, keepdim=True)  # (N, 1)
y = x * s  # (N, D)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
ds = None
dx = None
