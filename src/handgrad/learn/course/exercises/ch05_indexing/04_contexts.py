"""The first layer of the lecture's network, backwards and without a loop.

    ix (N, T)  --look up-->  emb (N, T, D)  --view-->  embcat (N, T * D)

A view only renames positions: its backward pass is the view back. For the table, use a single
call that adds where an index repeats: index_add_, index_put with accumulate=True, or a product
with one-hot rows.
"""

import torch

# Setup: sizes, seed and random inputs.
N, T, V, D = 6, 3, 5, 2
g = torch.Generator().manual_seed(1)
C = torch.randn(V, D, generator=g)  # (V, D)
ix = torch.randint(V, (N, T), generator=g)  # (N, T), which rows to look up
upstream = torch.randn(N, T * D, generator=g)  # (N, T * D)

# Forward pass.
emb = C[ix]  # (N, T, D)
embcat = emb.view(N, T * D)  # (N, T * D)
loss = (embcat * upstream).sum()

# Backward pass. The gradient of embcat is given; three lines are enough.
dembcat = upstream

# YOUR CODE HERE
demb = None
dC = None
