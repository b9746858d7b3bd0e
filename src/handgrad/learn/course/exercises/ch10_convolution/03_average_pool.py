"""The mean of every K neighbours, backwards in one line.

    pooled[p] = (x[p*K] + ... + x[p*K + K-1]) / K

Each element is in one window only and has the slope 1/K.
"""

import torch

# Setup: sizes, seed and random inputs.
N, P, K = 4, 5, 3
g = torch.Generator().manual_seed(1)
x = torch.randn(N, P * K, generator=g)  # (N, P * K)
upstream = torch.randn(N, P, generator=g)  # (N, P)

# Forward pass.
pooled = x.view(N, P, K).mean(2)  # (N, P)
loss = (pooled * upstream).sum()

# Backward pass. The gradient of pooled is given; one line is enough for dx.
dpooled = upstream

# YOUR CODE HERE
dx = None
