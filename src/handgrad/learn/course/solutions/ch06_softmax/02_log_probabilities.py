"""Cross-entropy as it is really computed: take the maximum off, and never divide.

    log softmax = norm_logits - log(sum of exp(norm_logits))

Subtracting the maximum changes nothing in the result, so dlogit_maxes comes out as zero up to
rounding. It has a formula all the same, and the formula is what you are asked for.
"""

import torch

# Setup: sizes, seed and random inputs.
N, V = 5, 7
g = torch.Generator().manual_seed(1)
logits = torch.randn(N, V, generator=g)  # (N, V)
Yb = torch.randint(V, (N,), generator=g)  # (N,), the right class of each row
upstream = torch.randn(N, generator=g)  # (N,)

# Forward pass.
logit_maxes = logits.max(1, keepdim=True).values  # (N, 1)
norm_logits = logits - logit_maxes  # (N, V)
counts = norm_logits.exp()  # (N, V)
counts_sum = counts.sum(1, keepdim=True)  # (N, 1)
log_sum = counts_sum.log()  # (N, 1)
logprobs = norm_logits - log_sum  # (N, V)
picked = logprobs[range(N), Yb]  # (N,)
loss = -(picked * upstream).sum()

# Backward pass. The gradient of picked is given.
dpicked = -upstream

# YOUR CODE HERE
dlogprobs = torch.zeros_like(logprobs)
dlogprobs[range(N), Yb] = dpicked
dlog_sum = -dlogprobs.sum(1, keepdim=True)
dcounts_sum = dlog_sum / counts_sum
dcounts = dcounts_sum.expand(N, V)
dnorm_logits = dlogprobs + counts * dcounts
dlogit_maxes = -dnorm_logits.sum(1, keepdim=True)
dlogits = dnorm_logits.clone()
dlogits[range(N), logits.max(1).indices] += dlogit_maxes[:, 0]
