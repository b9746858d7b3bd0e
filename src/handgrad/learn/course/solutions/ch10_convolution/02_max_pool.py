"""Keep the greatest of every K neighbours.

x        3 1 2 | 0 5 4        windows of K = 3
m            3 |   5
dx       o . . | . o .        the winners take all of dm
"""

import torch

# Setup: sizes, seed and random inputs.
N, P, K = 4, 5, 3
g = torch.Generator().manual_seed(1)
x = torch.randn(N, P * K, generator=g)  # (N, P * K)
upstream = torch.randn(N, P, generator=g)  # (N, P)

# Forward pass.
windows = x.view(N, P, K)  # (N, P, K)
m = windows.max(2).values  # (N, P)
loss = (m * upstream).sum()

# Backward pass. The gradient of m is given.
dm = upstream

# YOUR CODE HERE
winners = torch.nn.functional.one_hot(windows.max(2).indices, K)
dwindows = winners * dm[:, :, None]
dx = dwindows.view(N, P * K)
