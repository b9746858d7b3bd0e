"""The longest stretch: batch norm in its small steps, then down to the embeddings.

bndiff is used twice and so is hprebn. The variance divides by n-1 (Bessel's correction), the
mean by n.
"""

import torch

# Setup: sizes, seed and random inputs.
n, block_size, n_embd, n_hidden, vocab_size = 8, 3, 4, 10, 27
g = torch.Generator().manual_seed(1)
C = torch.randn(vocab_size, n_embd, generator=g)  # (vocab_size, n_embd)
W1 = torch.randn(n_embd * block_size, n_hidden, generator=g) * 0.5
b1 = torch.randn(n_hidden, generator=g) * 0.1  # (n_hidden,)
Xb = torch.randint(vocab_size, (n, block_size), generator=g)  # (n, block_size)
upstream = torch.randn(n, n_hidden, generator=g)  # (n, n_hidden)

# Forward pass.
emb = C[Xb]  # (n, block_size, n_embd)
embcat = emb.view(n, -1)  # (n, block_size * n_embd)
hprebn = embcat @ W1 + b1  # (n, n_hidden)
bnmeani = 1 / n * hprebn.sum(0, keepdim=True)  # (1, n_hidden)
bndiff = hprebn - bnmeani  # (n, n_hidden)
bndiff2 = bndiff**2  # (n, n_hidden)
bnvar = 1 / (n - 1) * bndiff2.sum(0, keepdim=True)  # (1, n_hidden)
bnvar_inv = (bnvar + 1e-5) ** -0.5  # (1, n_hidden)
bnraw = bndiff * bnvar_inv  # (n, n_hidden)
loss = (bnraw * upstream).sum()

# Backward pass. The gradient of bnraw is given.
dbnraw = upstream

# YOUR CODE HERE
dbnvar_inv = (bndiff * dbnraw).sum(0, keepdim=True)
dbnvar = -0.5 * (bnvar + 1e-5) ** -1.5 * dbnvar_inv
dbndiff2 = 1.0 / (n - 1) * torch.ones_like(bndiff2) * dbnvar
dbndiff = bnvar_inv * dbnraw + 2 * bndiff * dbndiff2
dbnmeani = -dbndiff.sum(0, keepdim=True)
dhprebn = dbndiff + 1.0 / n * dbnmeani
dembcat = dhprebn @ W1.T
dW1 = embcat.T @ dhprebn
db1 = dhprebn.sum(0)
demb = dembcat.view(emb.shape)
dC = torch.zeros_like(C).index_put((Xb,), demb, accumulate=True)
