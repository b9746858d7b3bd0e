"""Normalise, widen, squash, narrow, and add the input back.

    x --> xhat --> a --> r --> branch --+--> y
    '-----------------------------------'

x is used in three places: for inv_rms, for xhat, and in the last line.
"""

import torch

# Setup: sizes, seed and random inputs.
N, D, F = 5, 7, 3
g = torch.Generator().manual_seed(1)
x = torch.randn(N, D, generator=g)  # (N, D)
W1 = torch.randn(D, F, generator=g)  # (D, F)
W2 = torch.randn(F, D, generator=g)  # (F, D)
upstream = torch.randn(N, D, generator=g)  # (N, D)

# Forward pass.
inv_rms = ((x**2).mean(1, keepdim=True) + 1e-5) ** -0.5  # (N, 1)
xhat = x * inv_rms  # (N, D)
a = xhat @ W1  # (N, F)
r = torch.relu(a)  # (N, F)
branch = r @ W2  # (N, D)
y = x + branch  # (N, D)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
dbranch = None
dW2 = None
dr = None
da = None
dW1 = None
dxhat = None
dinv_rms = None
dx = None
