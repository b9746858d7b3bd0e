"""Attention pooling over a padded batch: a mask of lengths, a log-sum-exp written out, two passes."""

import torch
import torch.nn.functional as F

torch.manual_seed(63)
Bt, Tm, Dm, K = 3, 4, 5, 2
emb = torch.randn(Bt, Tm, Dm, requires_grad=True)
lengths = torch.tensor([4, 2, 3])
valid = torch.arange(Tm)[None, :] < lengths[:, None]
query = torch.randn(Dm, requires_grad=True)
cls = torch.randn(Dm, K, requires_grad=True)
yb = torch.tensor([0, 1, 1])

# pass one: attention weights
energy = emb @ query / Dm**0.5
energy_m = energy.masked_fill(~valid, -1e9)
weights = F.softmax(energy_m, dim=1)
ctx = (weights.unsqueeze(-1) * emb).sum(1)
scores = ctx @ cls
lse = scores.exp().sum(1).log()
picked = scores[range(Bt), yb]
loss = (lse - picked).mean()

dlse = torch.ones(Bt) / Bt
dpicked = -torch.ones(Bt) / Bt
dscores = dlse[:, None] * (scores - lse[:, None]).exp()
dscores[range(Bt), yb] += dpicked
dcls = ctx.t() @ dscores
dctx = dscores @ cls.t()
dweights = (dctx[:, None, :] * emb).sum(-1)
demb = weights[..., None] * dctx[:, None, :]
denergy_m = weights * (dweights - (weights * dweights).sum(1, keepdim=True))
denergy = denergy_m * valid
dquery = torch.einsum("bt,btd->d", denergy, emb) / Dm**0.5
demb += denergy[..., None] * query / Dm**0.5

# pass two: the mean of what is valid
maskf = valid.to(emb.dtype).unsqueeze(-1)
summed = (emb * maskf).sum(1)
ctx = summed / lengths[:, None]
scores = ctx @ cls
loss = F.cross_entropy(scores, yb, reduction="sum")

dscores = F.softmax(scores, dim=1) - F.one_hot(yb, K)
dcls = ctx.t() @ dscores
dctx = dscores @ cls.t()
dsummed = dctx / lengths[:, None]
demb = dsummed[:, None, :] * maskf
