"""A quadratic form: x stands on both sides of the matrix.

    score[n] = sum over d, e of x[n,d] * A[d,e] * x[n,e]

x reaches the score as the left factor and as the right one. A is not symmetric.
"""

import torch

# Setup: sizes, seed and random inputs.
N, D = 5, 7
g = torch.Generator().manual_seed(1)
x = torch.randn(N, D, generator=g)  # (N, D)
A = torch.randn(D, D, generator=g)  # (D, D)
upstream = torch.randn(N, generator=g)  # (N,)

# Forward pass.
score = ((x @ A) * x).sum(1)  # (N,)
loss = (score * upstream).sum()

# Backward pass. The gradient of score is given; three lines are enough for dx and dA.
dscore = upstream

# YOUR CODE HERE
up = dscore[:, None] * x
dx = up @ (A + A.T)
dA = x.T @ up
