"""Backpropagate through the loss of the lecture's network, line by line.

The names and the lines are the lecture's own. In this file there is no upstream gradient:
the loss is the last line, and its gradient by itself is 1.
"""

import torch

# Setup: sizes, seed and random inputs.
n, vocab_size = 8, 27
g = torch.Generator().manual_seed(1)
logits = torch.randn(n, vocab_size, generator=g)  # (n, vocab_size)
Yb = torch.randint(vocab_size, (n,), generator=g)  # (n,), the next character of each example

# Forward pass.
logit_maxes = logits.max(1, keepdim=True).values  # (n, 1)
norm_logits = logits - logit_maxes  # (n, vocab_size)
counts = norm_logits.exp()  # (n, vocab_size)
counts_sum = counts.sum(1, keepdim=True)  # (n, 1)
counts_sum_inv = counts_sum**-1  # (n, 1)
probs = counts * counts_sum_inv  # (n, vocab_size)
logprobs = probs.log()  # (n, vocab_size)
loss = -logprobs[range(n), Yb].mean()

# YOUR CODE HERE
dlogprobs = torch.zeros_like(logprobs)
dlogprobs[range(n), Yb] = -1.0 / n
dprobs = dlogprobs / probs
dcounts_sum_inv = (counts * dprobs).sum(1, keepdim=True)
dcounts_sum = -(counts_sum**-2) * dcounts_sum_inv
dcounts = counts_sum_inv * dprobs + dcounts_sum
dnorm_logits = counts * dcounts
dlogit_maxes = -dnorm_logits.sum(1, keepdim=True)
dlogits = dnorm_logits.clone()
dlogits[range(n), logits.max(1).indices] += dlogit_maxes[:, 0]
