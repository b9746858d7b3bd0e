"""x times its own sigmoid, in closed form.

    y = x * sigmoid(x)        (Swish, with beta = 1)

Apply the product rule, use s' = s * (1 - s), and take the common factor out.
"""

import torch

# Setup: sizes, seed and random inputs.
N, D = 5, 7
g = torch.Generator().manual_seed(1)
x = torch.randn(N, D, generator=g)  # (N, D)
upstream = torch.randn(N, D, generator=g)  # (N, D)

# Forward pass.
y = x * torch.sigmoid(x)  # (N, D)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given; two lines are enough for dx.
dy = upstream

# YOUR CODE HERE
dx = None
