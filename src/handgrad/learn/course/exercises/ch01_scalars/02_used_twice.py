"""Add up what comes back by every path.

a is used in two lines, so it reaches the loss by two paths. Each brings a part of da:

    a ---> b ---> c        da = (part through c) + (part through b)
    '-------------^
"""

import torch

# Setup: sizes, seed and random inputs.
N = 5
g = torch.Generator().manual_seed(1)
a = torch.randn(N, generator=g)  # (N,)
upstream = torch.randn(N, generator=g)  # (N,)

# Forward pass.
b = a**2  # (N,)
c = a * b  # (N,)
loss = (c * upstream).sum()

# Backward pass. The gradient of c is given.
dc = upstream

# YOUR CODE HERE
db = None
da = None
