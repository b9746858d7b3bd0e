"""The same weights in two places: embed with C, and score the answers with C, too.

    ix --C--> emb --tanh--> h --C.T--> logits

A shared weight is a variable used twice, however far apart the two uses are.
"""

import torch

# Setup: sizes, seed and random inputs.
N, V, D = 6, 4, 3
g = torch.Generator().manual_seed(1)
C = torch.randn(V, D, generator=g)  # (V, D)
ix = torch.randint(V, (N,), generator=g)  # (N,)
upstream = torch.randn(N, V, generator=g)  # (N, V)

# Forward pass.
emb = C[ix]  # (N, D)
h = torch.tanh(emb)  # (N, D)
logits = h @ C.T  # (N, V)
loss = (logits * upstream).sum()

# Backward pass. The gradient of logits is given.
dlogits = upstream

# YOUR CODE HERE
dh = None
demb = None
dC = None
