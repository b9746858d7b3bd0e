"""Turn each pair of features by an angle that grows with the position.

y1 = x1 * cos - x2 * sin        the backward pass turns
y2 = x1 * sin + x2 * cos        by the opposite angle
"""

import torch

# Setup: sizes, seed and random inputs.
T, E = 5, 3
g = torch.Generator().manual_seed(1)
x = torch.randn(T, 2 * E, generator=g)  # (T, 2 * E)
angle = torch.arange(T)[:, None] * 100.0 ** (-torch.arange(E) / E)  # (T, E)
cos, sin = angle.cos(), angle.sin()  # (T, E) each
upstream = torch.randn(T, 2 * E, generator=g)  # (T, 2 * E)

# Forward pass.
x1 = x[:, :E]  # (T, E)
x2 = x[:, E:]  # (T, E)
y1 = x1 * cos - x2 * sin  # (T, E)
y2 = x1 * sin + x2 * cos  # (T, E)
y = torch.cat([y1, y2], 1)  # (T, 2 * E)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
dy1 = None
dy2 = None
dx1 = None
dx2 = None
dx = None
