"""Take the derivative on paper, simplify, and write a single line.

    y = log(1 + e^x)        a ReLU with a soft corner

By the chain rule  dy/dx = 1/(1 + e^x) * e^x.  That quotient has a name of its own.
"""

import torch

# Setup: sizes, seed and random inputs.
N = 5
g = torch.Generator().manual_seed(1)
x = torch.randn(N, generator=g)  # (N,)
upstream = torch.randn(N, generator=g)  # (N,)

# Forward pass.
y = torch.log(1 + torch.exp(x))  # (N,)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given; one line is enough for dx.
dy = upstream

# YOUR CODE HERE
dx = torch.sigmoid(x) * dy
