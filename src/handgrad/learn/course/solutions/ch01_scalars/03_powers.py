"""The power rule, with an exponent that is not a whole number.

    y = x**p   has the slope   p * x**(p - 1)

This little network divides a number by about its own size; normalisation layers do the same.
"""

import torch

# Setup: sizes, seed and random inputs.
N = 5
g = torch.Generator().manual_seed(1)
x = torch.randn(N, generator=g)  # (N,)
upstream = torch.randn(N, generator=g)  # (N,)

# Forward pass.
s = x**2 + 0.1  # (N,)
r = s**-0.5  # (N,)
y = x * r  # (N,)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
dr = x * dy
ds = -0.5 * s**-1.5 * dr
dx = r * dy + 2 * x * ds
