"""All of the batch norm in one line (a long one, or two).

    bnraw = (hprebn - mean) / sqrt(var + eps)        var with n-1

hprebn reaches bnraw by three paths: directly, through the mean, and through the variance. Write
down each part, using bnraw where it turns up, and take the common factor out.
"""

import torch

# Setup: sizes, seed and random inputs.
n, n_hidden = 8, 16
g = torch.Generator().manual_seed(1)
hprebn = torch.randn(n, n_hidden, generator=g)  # (n, n_hidden)
bngain = torch.randn(1, n_hidden, generator=g) * 0.1 + 1.0  # (1, n_hidden)
bnbias = torch.randn(1, n_hidden, generator=g) * 0.1  # (1, n_hidden)
upstream = torch.randn(n, n_hidden, generator=g)  # (n, n_hidden)

# Forward pass.
bnvar_inv = (hprebn.var(0, keepdim=True) + 1e-5) ** -0.5  # (1, n_hidden), var has n-1
bnraw = (hprebn - hprebn.mean(0, keepdim=True)) * bnvar_inv  # (n, n_hidden)
hpreact = bngain * bnraw + bnbias  # (n, n_hidden)
loss = (hpreact * upstream).sum()

# Backward pass. The gradient of hpreact is given; two lines are enough for dhprebn.
dhpreact = upstream

# YOUR CODE HERE
both = dhpreact.sum(0) + n / (n - 1) * bnraw * (dhpreact * bnraw).sum(0)
dhprebn = bngain * bnvar_inv / n * (n * dhpreact - both)
