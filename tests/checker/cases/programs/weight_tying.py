"""One table for both the input embedding and the output projection."""

import torch
import torch.nn.functional as F

N, T, D, V = 5, 3, 4, 11
g = torch.Generator().manual_seed(17)
context = torch.randint(0, V, (N, T), generator=g)
nxt = torch.randint(0, V, (N,), generator=g)
E = torch.randn(V, D, generator=g, requires_grad=True)
mix = torch.randn(T, generator=g, requires_grad=True)
b = torch.randn(V, generator=g, requires_grad=True)
tau = 1.7

# forward
emb = E[context]
bag = (emb * mix[:, None]).sum(1)
hid = torch.tanh(bag)
scores = hid @ E.T
logits = scores / tau + b
logp = F.log_softmax(logits, dim=-1)
loss = F.nll_loss(logp, nxt)

# backward
dlogp = -F.one_hot(nxt, V).to(logp.dtype) / N
dlogits = dlogp - logp.exp() * dlogp.sum(-1, keepdim=True)
db = dlogits.sum(0)
dscores = dlogits / tau
dhid = dscores @ E
dbag = (1 - hid**2) * dhid
demb = dbag[:, None, :] * mix[:, None]
dmix = (emb * dbag[:, None, :]).sum((0, 2))
dE = dscores.T @ hid
dE.index_add_(0, context.flatten(), demb.flatten(0, 1))
