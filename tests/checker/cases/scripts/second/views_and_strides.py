"""Chunks, strides, diagonals and flips that are not contiguous; a gradient written into a slice of zeros."""

import torch

g = torch.Generator().manual_seed(18)
m = torch.randn(6, 6, generator=g, requires_grad=True)
s = torch.randn(3, generator=g, requires_grad=True)

left, right = m.chunk(2, dim=1)
odd = left[1::2, :].t()
diag = right[:3].diagonal()
mixed = odd * s
wide = mixed.reshape(-1)[::2]
tail = diag.flip(0)
loss = (wide**3).sum() + (tail * s).sum()

dwide = 3 * wide**2
dtail = s.clone()
dmixed = torch.zeros_like(mixed)
flat_up = torch.zeros(9)
flat_up[::2] = dwide
dmixed += flat_up.view(3, 3)
dodd = dmixed * s
ddiag = dtail.flip(0)
ds = (dmixed * odd).sum(0) + tail
dleft = torch.zeros(6, 3)
dleft[1::2, :] = dodd.t()
dright = torch.zeros(6, 3)
dright[range(3), range(3)] = ddiag
dm = torch.cat((dleft, dright), dim=1)
