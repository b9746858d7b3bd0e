"""A multi-class hinge loss: most gradients are exactly zero, one row has no loss at all."""

import torch

scores = torch.tensor([[9.0, 1.0, 2.0], [0.5, 0.4, 0.1], [-1.0, 0.0, 3.0], [0.0, 0.0, 0.0]], requires_grad=True)
y = torch.tensor([0, 1, 0, 2])
n = len(y)

right = scores[torch.arange(n), y]
margins = scores - right[:, None] + 1
hinged = torch.clamp(margins, min=0)
keep = torch.ones_like(hinged)
keep[torch.arange(n), y] = 0
counted = hinged * keep
loss = counted.sum() / n

dcounted = torch.full_like(counted, 1 / n)
dhinged = dcounted * keep
dmargins = dhinged * (margins >= 0)
dright = -dmargins.sum(1)
dscores = dmargins.clone()
dscores[torch.arange(n), y] += dright
