"""Layer norm is batch norm turned by 90 degrees: each row has its own mean and variance.

The variance divides by D, without Bessel's correction. diff is used twice, and so is x.
"""

import torch

# Setup: sizes, seed and random inputs.
N, D = 5, 7
g = torch.Generator().manual_seed(1)
x = torch.randn(N, D, generator=g)  # (N, D)
gain = torch.randn(D, generator=g)  # (D,)
bias = torch.randn(D, generator=g)  # (D,)
upstream = torch.randn(N, D, generator=g)  # (N, D)

# Forward pass.
mean = x.mean(1, keepdim=True)  # (N, 1)
diff = x - mean  # (N, D)
var = (diff**2).mean(1, keepdim=True)  # (N, 1)
inv_std = (var + 1e-5) ** -0.5  # (N, 1)
xhat = diff * inv_std  # (N, D)
y = gain * xhat + bias  # (N, D)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
dgain = None
dbias = None
dxhat = None
dinv_std = None
dvar = None
ddiff = None
dmean = None
dx = None
