"""Exponentiate and divide by the sum of the row: softmax in four lines.

    counts ------------------------> probs
       '----> counts_sum ----> 1/counts_sum ----^

counts goes to probs by two paths: directly, and through the sum of its row.
"""

import torch

# Setup: sizes, seed and random inputs.
N, V = 5, 7
g = torch.Generator().manual_seed(1)
logits = torch.randn(N, V, generator=g)  # (N, V)
upstream = torch.randn(N, V, generator=g)  # (N, V)

# Forward pass.
counts = logits.exp()  # (N, V)
counts_sum = counts.sum(1, keepdim=True)  # (N, 1)
counts_sum_inv = counts_sum**-1  # (N, 1)
probs = counts * counts_sum_inv  # (N, V)
loss = (probs * upstream).sum()

# Backward pass. The gradient of probs is given.
dprobs = upstream

# YOUR CODE HERE
dcounts_sum_inv = None
dcounts_sum = None
dcounts = None
dlogits = None
