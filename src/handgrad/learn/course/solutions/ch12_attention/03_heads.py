"""Cut the features into H heads, let each mix the positions in its own way, and join them again.

    x (T, H*E) --view, transpose--> heads (H, T, E)
    joined (T, H*E) <--transpose, reshape-- mixed (H, T, E)

Views and transposes move numbers about; the backward pass moves the gradients back.
"""

import torch

# Setup: sizes, seed and random inputs.
T, H, E = 5, 2, 3
g = torch.Generator().manual_seed(1)
x = torch.randn(T, H * E, generator=g)  # (T, H * E)
att = torch.rand(H, T, T, generator=g)  # (H, T, T), the weights of each head
upstream = torch.randn(T, H * E, generator=g)  # (T, H * E)

# Forward pass.
heads = x.view(T, H, E).transpose(0, 1)  # (H, T, E)
mixed = att @ heads  # (H, T, E), a product for each head
joined = mixed.transpose(0, 1).reshape(T, H * E)  # (T, H * E)
loss = (joined * upstream).sum()

# Backward pass. The gradient of joined is given.
djoined = upstream

# YOUR CODE HERE
dmixed = djoined.view(T, H, E).transpose(0, 1)
datt = dmixed @ heads.transpose(1, 2)
dheads = att.transpose(1, 2) @ dmixed
dx = dheads.transpose(0, 1).reshape(T, H * E)
