"""The whole softmax in one line.

    dlogits[i] = sum over j of dprobs[j] * probs[j] * ((1 if i == j else 0) - probs[i])

Split the sum into its two terms, and take probs[i] out of both.
"""

import torch

# Setup: sizes, seed and random inputs.
N, V = 5, 7
g = torch.Generator().manual_seed(1)
logits = torch.randn(N, V, generator=g)  # (N, V)
upstream = torch.randn(N, V, generator=g)  # (N, V)

# Forward pass.
probs = torch.softmax(logits, 1)  # (N, V)
loss = (probs * upstream).sum()

# Backward pass. The gradient of probs is given; one line is enough for dlogits.
dprobs = upstream

# YOUR CODE HERE
dlogits = probs * (dprobs - (probs * dprobs).sum(1, keepdim=True))
