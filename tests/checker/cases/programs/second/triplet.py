"""A triplet loss on normalised embeddings, all three through the same weights."""

import torch

torch.manual_seed(14)
n, din, dim, margin = 8, 5, 3, 0.4
anchor, positive, negative = torch.randn(n, din), torch.randn(n, din), torch.randn(n, din)
W = torch.randn(din, dim, requires_grad=True)
b = torch.randn(dim, requires_grad=True)

ea = anchor @ W + b
ep = positive @ W + b
en = negative @ W + b
na = ea.norm(dim=1, keepdim=True)
za = ea / na
gap_p = za - ep
gap_n = za - en
dist_p = (gap_p**2).sum(1)
dist_n = (gap_n**2).sum(1)
violation = dist_p - dist_n + margin
hinge = torch.clamp(violation, min=0)
loss = hinge.mean()
print("active triplets:", (hinge > 0).sum().item())

dhinge = torch.ones(n) / n
dviolation = dhinge * (violation > 0)
ddist_p = dviolation
ddist_n = -dviolation
dgap_p = 2 * gap_p * ddist_p[:, None]
dgap_n = 2 * gap_n * ddist_n[:, None]
dza = dgap_p + dgap_n
dep = -dgap_p
den = -dgap_n
dea = dza / na - za * (dza * za).sum(1, keepdim=True) / na
dW = anchor.T @ dea + positive.T @ dep + negative.T @ den
db = (dea + dep + den).sum(0)
