"""Go back through the lines of a forward pass, one at a time.

The gradient of a name is written with a d in front: da says how much the loss changes for
a small change of a. A line  y = a * b  turns dy into two gradients:

    da = (what a is multiplied by) * dy        and the same for b

All lines here work on N numbers at once, each on its own; think of one number.
"""

import torch

# Setup: sizes, seed and random inputs.
N = 5
g = torch.Generator().manual_seed(1)
a = torch.randn(N, generator=g)  # (N,)
b = torch.randn(N, generator=g)  # (N,)
c = torch.randn(N, generator=g)  # (N,)
upstream = torch.randn(N, generator=g)  # (N,)

# Forward pass.
y = a * b  # (N,)
z = y + c  # (N,)
loss = (z * upstream).sum()  # a single number

# Backward pass, from the last line to the first. The gradient of z is given.
dz = upstream

# YOUR CODE HERE
dy = None
da = None
db = None
dc = None
