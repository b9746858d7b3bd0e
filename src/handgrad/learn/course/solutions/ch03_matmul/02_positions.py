"""A weight used at every position of every example collects from all of them.

    y[b,t] = x[b,t] @ W + bias        B * T uses of the same W

The product for a single position is a matrix, x[b,t] as a column times dy[b,t] as a row;
dW is the sum of all B * T of them.
"""

import torch

# Setup: sizes, seed and random inputs.
B, T, D, E = 3, 5, 7, 2
g = torch.Generator().manual_seed(1)
x = torch.randn(B, T, D, generator=g)  # (B, T, D)
W = torch.randn(D, E, generator=g)  # (D, E)
b = torch.randn(E, generator=g)  # (E,)
upstream = torch.randn(B, T, E, generator=g)  # (B, T, E)

# Forward pass.
y = x @ W + b  # (B, T, E)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
dx = dy @ W.T
dW = x.view(B * T, D).T @ dy.view(B * T, E)
db = dy.sum((0, 1))
