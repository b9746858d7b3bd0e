"""Token and position tables added, projected, and scored by cross-entropy at every position."""

import torch
import torch.nn.functional as F

B, T, D, V = 3, 4, 6, 8
g = torch.Generator().manual_seed(14)
tokens = torch.randint(0, V, (B, T), generator=g)
targets = torch.randint(0, V, (B, T), generator=g)
wte = torch.randn(V, D, generator=g, requires_grad=True)
wpe = torch.randn(10, D, generator=g, requires_grad=True)
Wout = torch.randn(D, V, generator=g, requires_grad=True)
bout = torch.randn(V, generator=g, requires_grad=True)

# forward
pos = torch.arange(T)
tok_emb = wte[tokens]
pos_emb = wpe[pos]
x = tok_emb + pos_emb
logits = x @ Wout + bout
flat = logits.view(B * T, V)
loss = F.cross_entropy(flat, targets.view(-1))

# backward
dflat = F.softmax(flat, dim=1)
dflat[torch.arange(B * T), targets.view(-1)] -= 1
dflat /= B * T
dlogits = dflat.view(B, T, V)
dx = dlogits @ Wout.T
dWout = x.view(-1, D).T @ dflat
dbout = dflat.sum(0)
dtok_emb = dx.clone()
dpos_emb = dx.sum(0)
dwte = torch.zeros_like(wte)
dwte.index_add_(0, tokens.view(-1), dtok_emb.view(-1, D))
dwpe = torch.zeros_like(wpe)
dwpe[:T] = dpos_emb
