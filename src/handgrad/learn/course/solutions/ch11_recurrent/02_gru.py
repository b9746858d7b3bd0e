"""One step of a GRU: two gates decide what is forgotten and what is new.

    new_h = (1 - z) * candidate + z * h

The linear layers are left out: az, ar, an come from the input, u from the state h. To keep it
short, u is taken as given, so dh is the direct path only.
"""

import torch

# Setup: sizes, seed and random inputs.
N, H = 5, 7
g = torch.Generator().manual_seed(1)
az, ar, an, u, h = torch.randn(5, N, H, generator=g)  # (N, H) each
upstream = torch.randn(N, H, generator=g)  # (N, H)

# Forward pass.
z = torch.sigmoid(az)  # (N, H), how much of h is kept
r = torch.sigmoid(ar)  # (N, H), how much of u is used
kept = r * u  # (N, H)
candidate = torch.tanh(an + kept)  # (N, H)
new_h = (1 - z) * candidate + z * h  # (N, H)
loss = (new_h * upstream).sum()

# Backward pass. The gradient of new_h is given.
dnew_h = upstream

# YOUR CODE HERE
dcandidate = (1 - z) * dnew_h
dz = (h - candidate) * dnew_h
dh = z * dnew_h
daz = z * (1 - z) * dz
dkept = (1 - candidate**2) * dcandidate
dr = u * dkept
dar = r * (1 - r) * dr
