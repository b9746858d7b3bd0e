"""The same weights at every step: their gradients add up over time.

    x1 --> a1 --> h1 --> a2 --> h2
                  |      ^
             upstream1   x2

h1 reaches the loss directly and through the second step.
"""

import torch

# Setup: sizes, seed and random inputs.
N, D, H = 5, 7, 3
g = torch.Generator().manual_seed(1)
x1, x2 = torch.randn(2, N, D, generator=g)  # (N, D) each
h0 = torch.randn(N, H, generator=g)  # (N, H)
Wx = torch.randn(D, H, generator=g) * 0.3  # (D, H)
Wh = torch.randn(H, H, generator=g) * 0.3  # (H, H)
upstream1, upstream2 = torch.randn(2, N, H, generator=g)  # (N, H) each

# Forward pass.
a1 = x1 @ Wx + h0 @ Wh  # (N, H)
h1 = torch.tanh(a1)  # (N, H)
a2 = x2 @ Wx + h1 @ Wh  # (N, H)
h2 = torch.tanh(a2)  # (N, H)
loss = (h1 * upstream1).sum() + (h2 * upstream2).sum()

# Backward pass. The gradient of h2 is given.
dh2 = upstream2

# YOUR CODE HERE
da2 = None
dh1 = None
da1 = None
dWx = None
dWh = None
