"""A sigmoid decides how much of another value comes through.

s = sigmoid(a)        ds/da = s * (1 - s), at most 1/4
"""

import torch

# Setup: sizes, seed and random inputs.
N, D = 5, 7
g = torch.Generator().manual_seed(1)
a = torch.randn(N, D, generator=g)  # (N, D)
b = torch.randn(N, D, generator=g)  # (N, D)
upstream = torch.randn(N, D, generator=g)  # (N, D)

# Forward pass.
s = torch.sigmoid(a)  # (N, D)
y = s * b  # (N, D)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
ds = None
da = None
db = None
