"""Cumulative sums, sorting, a gather along time and a clamp at both ends."""

import torch

torch.manual_seed(50)
x = torch.randn(3, 5, requires_grad=True)
gain = torch.rand(5, requires_grad=True)

steps = x * gain
total = steps.cumsum(1)
clipped = total.clamp(-1.0, 1.0)
ordered, order = clipped.sort(dim=1)
weights = torch.arange(5.0)
score = (ordered * weights).sum(1)
prod = torch.prod(1 + 0.1 * score)
loss = prod.log()

dprod = 1 / prod
dscore = dprod * 0.1 * prod / (1 + 0.1 * score)
dordered = dscore[:, None] * weights
dclipped = torch.zeros_like(clipped).scatter(1, order, dordered)
dtotal = dclipped * (total.abs() <= 1)
dsteps = dtotal.flip(1).cumsum(1).flip(1)
dx = dsteps * gain
dgain = (dsteps * x).sum(0)
