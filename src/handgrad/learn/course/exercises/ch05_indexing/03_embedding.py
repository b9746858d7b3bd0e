"""A row that is looked up several times collects several gradients.

C =  row 0        ix = 1, 3, 1        emb = row 1
     row 1                                  row 3
     row 2        dC[1] gets demb[0]        row 1
     row 3        and demb[2]
"""

import torch

# Setup: sizes, seed and random inputs.
N, V, D = 6, 4, 3
g = torch.Generator().manual_seed(1)
C = torch.randn(V, D, generator=g)  # (V, D)
ix = torch.randint(V, (N,), generator=g)  # (N,), which row to look up
upstream = torch.randn(N, D, generator=g)  # (N, D)

# Forward pass.
emb = C[ix]  # (N, D)
loss = (emb * upstream).sum()

# Backward pass. The gradient of emb is given.
demb = upstream

# YOUR CODE HERE
dC = None
