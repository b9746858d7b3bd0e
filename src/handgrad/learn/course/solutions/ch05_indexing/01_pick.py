"""What was not picked has no influence, and a gradient of zero.

x =  . . o .        y = the picked elements
     o . . .        dx = zeros, with dy put back
     . . . o             where the elements were taken from
"""

import torch

# Setup: sizes, seed and random inputs.
N, D = 5, 7
g = torch.Generator().manual_seed(1)
x = torch.randn(N, D, generator=g)  # (N, D)
ix = torch.randint(D, (N,), generator=g)  # (N,), which column to pick in each row
upstream = torch.randn(N, generator=g)  # (N,)

# Forward pass.
y = x[range(N), ix]  # (N,)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
dx = torch.zeros_like(x)
dx[range(N), ix] = dy
