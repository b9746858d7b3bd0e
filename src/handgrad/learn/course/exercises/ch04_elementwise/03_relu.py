"""A ReLU is a switch: the gradient passes where the input was positive, and nowhere else.

r = max(a, 0)        dr/da = 1 where a > 0, else 0
"""

import torch

# Setup: sizes, seed and random inputs.
N, D = 5, 7
g = torch.Generator().manual_seed(1)
a = torch.randn(N, D, generator=g)  # (N, D)
b = torch.randn(N, D, generator=g)  # (N, D)
upstream = torch.randn(N, D, generator=g)  # (N, D)

# Forward pass.
r = torch.relu(a)  # (N, D)
y = r * b  # (N, D)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
dr = None
db = None
da = None
