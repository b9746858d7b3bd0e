"""Keep the dimension that broadcasting stretched.

gain and bias are (1, D), and so must their gradients be: a sum that drops the dimension gives
(D,), which looks right and broadcasts right, but is another shape.
"""

import torch

# Setup: sizes, seed and random inputs.
N, D = 5, 7
g = torch.Generator().manual_seed(1)
x = torch.randn(N, D, generator=g)  # (N, D)
gain = torch.randn(1, D, generator=g)  # (1, D)
bias = torch.randn(1, D, generator=g)  # (1, D)
upstream = torch.randn(N, D, generator=g)  # (N, D)

# Forward pass.
y = gain * x + bias  # (N, D)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
dgain = None
dbias = None
dx = None
