"""Each position takes a weighted mean of the values up to itself.

att   = 1 . . .        no weight on the future: there the
        o o . .        scores are minus infinity before
        o o o .        the softmax, and the weights are 0
mixed = att @ v
"""

import torch

# Setup: sizes, seed and random inputs.
T, E = 5, 3
g = torch.Generator().manual_seed(1)
scores = torch.randn(T, T, generator=g)  # (T, T), a row for each query
v = torch.randn(T, E, generator=g)  # (T, E)
upstream = torch.randn(T, E, generator=g)  # (T, E)

# Forward pass.
future = torch.ones(T, T).triu(1).bool()  # (T, T), True above the diagonal
att = torch.softmax(scores.masked_fill(future, -torch.inf), 1)  # (T, T)
mixed = att @ v  # (T, E)
loss = (mixed * upstream).sum()

# Backward pass. The gradient of mixed is given.
dmixed = upstream

# YOUR CODE HERE
dv = None
datt = None
dscores = None
