"""A linear recurrence runs forwards in time; its gradient is the same recurrence run backwards.

    h[t] = x[t] + 0.9 * h[t-1]

x[t] is in h[t], h[t+1], h[t+2], ... with the factors 1, 0.9, 0.81, ...
"""

import torch

# Setup: sizes, seed and random inputs.
T, D = 7, 4
leak = 0.9
g = torch.Generator().manual_seed(1)
x = torch.randn(T, D, generator=g)  # (T, D)
upstream = torch.randn(T, D, generator=g)  # (T, D)

# Forward pass.
h = x.clone()  # (T, D)
for t in range(1, T):
    h[t] += leak * h[t - 1]
loss = (h * upstream).sum()

# Backward pass. The gradient of h is given, as it comes in from outside at each step; three lines.
dh = upstream

# YOUR CODE HERE
dx = None
