"""From the gradient of the output to those of queries, keys and values in five lines.

    scores --> att --> out = att @ v        att = softmax of the masked scores

This is what a fused attention kernel computes.
"""

import torch

# Setup: sizes, seed and random inputs.
T, E = 5, 3
g = torch.Generator().manual_seed(1)
q, k, v = torch.randn(3, T, E, generator=g)  # (T, E) each
upstream = torch.randn(T, E, generator=g)  # (T, E)

# Forward pass.
future = torch.ones(T, T).triu(1).bool()  # (T, T)
att = torch.softmax((q @ k.T * E**-0.5).masked_fill(future, -torch.inf), 1)  # (T, T)
out = att @ v  # (T, E)
loss = (out * upstream).sum()

# Backward pass. The gradient of out is given.
dout = upstream

# YOUR CODE HERE
dv = att.T @ dout
datt = dout @ v.T
dscores = att * (datt - (att * datt).sum(1, keepdim=True)) * E**-0.5
dq = dscores @ k
dk = dscores.T @ q
