"""Go on through the second linear layer, the tanh, and the gain and bias of the batch norm.

To be right for every network above it, this third gets a random gradient of the logits.
"""

import torch

# Setup: sizes, seed and random inputs.
n, n_hidden, vocab_size = 8, 16, 27
g = torch.Generator().manual_seed(1)
bnraw = torch.randn(n, n_hidden, generator=g)  # (n, n_hidden)
bngain = torch.randn(1, n_hidden, generator=g) * 0.1 + 1.0  # (1, n_hidden)
bnbias = torch.randn(1, n_hidden, generator=g) * 0.1  # (1, n_hidden)
W2 = torch.randn(n_hidden, vocab_size, generator=g) * 0.1  # (n_hidden, vocab_size)
b2 = torch.randn(vocab_size, generator=g) * 0.1  # (vocab_size,)
upstream = torch.randn(n, vocab_size, generator=g)  # (n, vocab_size)

# Forward pass.
hpreact = bngain * bnraw + bnbias  # (n, n_hidden)
h = torch.tanh(hpreact)  # (n, n_hidden)
logits = h @ W2 + b2  # (n, vocab_size)
loss = (logits * upstream).sum()

# Backward pass. The gradient of logits is given.
dlogits = upstream

# YOUR CODE HERE
dh = None
dW2 = None
db2 = None
dhpreact = None
dbngain = None
dbnbias = None
dbnraw = None
