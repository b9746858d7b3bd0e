"""One step of an LSTM: the cell c is a conveyor belt, and three gates act on it.

    new_c = f * c + i * candidate        forget and write
    new_h = o * tanh(new_c)              read

Both new_c and new_h go on to later steps, so each has an upstream gradient.
"""

import torch

# Setup: sizes, seed and random inputs.
N, H = 5, 7
g = torch.Generator().manual_seed(1)
af, ai, ao, candidate, c = torch.randn(5, N, H, generator=g)  # (N, H) each
upstream_h, upstream_c = torch.randn(2, N, H, generator=g)  # (N, H) each

# Forward pass.
f = torch.sigmoid(af)  # (N, H)
i = torch.sigmoid(ai)  # (N, H)
o = torch.sigmoid(ao)  # (N, H)
new_c = f * c + i * candidate  # (N, H)
t = torch.tanh(new_c)  # (N, H)
new_h = o * t  # (N, H)
loss = (new_h * upstream_h).sum() + (new_c * upstream_c).sum()

# Backward pass. The gradient of new_h is given.
dnew_h = upstream_h

# YOUR CODE HERE
do = t * dnew_h
dt = o * dnew_h
dnew_c = upstream_c + (1 - t**2) * dt
df = c * dnew_c
di = candidate * dnew_c
dcandidate = i * dnew_c
dc = f * dnew_c
daf = f * (1 - f) * df
dai = i * (1 - i) * di
dao = o * (1 - o) * do
