"""Let the dimensions tell you where the transposes go.

    y = x @ W        (N, E) = (N, D) @ (D, E)

dx is (N, D) and is made of dy (N, E) and W (D, E): there is only one way to multiply them.
Written out:  y[n,e] = sum over d of x[n,d] * W[d,e],  so  dx[n,d] = sum over e of dy[n,e] * W[d,e].
"""

import torch

# Setup: sizes, seed and random inputs.
N, D, E = 5, 7, 3
g = torch.Generator().manual_seed(1)
x = torch.randn(N, D, generator=g)  # (N, D)
W = torch.randn(D, E, generator=g)  # (D, E)
b = torch.randn(E, generator=g)  # (E,)
upstream = torch.randn(N, E, generator=g)  # (N, E)

# Forward pass.
y = x @ W + b  # (N, E)
loss = (y * upstream).sum()

# Backward pass. The gradient of y is given.
dy = upstream

# YOUR CODE HERE
dx = None
dW = None
db = None
