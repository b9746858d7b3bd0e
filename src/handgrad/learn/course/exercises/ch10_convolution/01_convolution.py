"""Each position sees itself and the next one, with the same two matrices everywhere.

y[t] = x[t] @ W[0] + x[t+1] @ W[1]

x    0   1   2   3
     +---+---+---+
y      0   1   2         P = T - 1 outputs; most of x is used twice
"""

import torch

# Setup: sizes, seed and random inputs.
N, T, D, E = 3, 6, 5, 2
P = T - 1
g = torch.Generator().manual_seed(1)
x = torch.randn(N, T, D, generator=g)  # (N, T, D)
W = torch.randn(2, D, E, generator=g)  # (2, D, E)
upstream = torch.randn(N, P, E, generator=g)  # (N, P, E)

# Forward pass.
left, right = x[:, :P], x[:, 1:]  # (N, P, D) each
y = left @ W[0] + right @ W[1]  # (N, P, E)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
dW = None
dx = None
