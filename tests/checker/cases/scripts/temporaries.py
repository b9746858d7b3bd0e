"""The same temporary names over and over, several statements a line, stubs that are filled in later."""

import torch

g = torch.Generator().manual_seed(66)
x = torch.randn(7, 3, generator=g)
t = torch.randn(7, 2, generator=g)
W1 = torch.randn(3, 4, generator=g, requires_grad=True)
W2 = torch.randn(4, 2, generator=g, requires_grad=True)

z1 = x @ W1; a1 = z1.sigmoid()  # fmt: skip # noqa: E702
z2 = a1 @ W2; a2 = z2.sin()  # fmt: skip # noqa: E702
loss = (a2 - t).pow(2).mean()

dW1, dW2, da1, dz1, dz2, da2 = None, None, None, None, None, None
tmp = a2 - t
tmp = tmp * 2
da2 = tmp / tmp.numel()
tmp = z2.cos()
dz2 = tmp * da2
dW2 = a1.T @ dz2; da1 = dz2 @ W2.T  # fmt: skip # noqa: E702
tmp = 1 - a1
tmp = tmp * a1
dz1 = tmp * da1
tmp = x.T
dW1 = tmp @ dz1
