"""How well does each query fit each key? A matrix product and a constant.

    scores (T, S) = q (T, E) @ k.T (E, S) / sqrt(E)

T queries, S keys. Without the division the scores would grow with E, and the softmax harden.
"""

import torch

# Setup: sizes, seed and random inputs.
T, S, E = 4, 5, 3
g = torch.Generator().manual_seed(1)
q = torch.randn(T, E, generator=g)  # (T, E)
k = torch.randn(S, E, generator=g)  # (S, E)
upstream = torch.randn(T, S, generator=g)  # (T, S)

# Forward pass.
scale = E**-0.5
scores = q @ k.T * scale  # (T, S)
loss = (scores * upstream).sum()

# Backward pass. The gradient of scores is given.
dscores = upstream

# YOUR CODE HERE
dq = dscores @ k * scale
dk = dscores.T @ q * scale
