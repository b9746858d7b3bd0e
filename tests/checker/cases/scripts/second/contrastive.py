"""A two-way contrastive loss between two views, the temperature learnt as a logarithm."""

import torch
import torch.nn.functional as F

torch.manual_seed(60)
n, d = 5, 4
img = torch.randn(n, d, requires_grad=True)
txt = torch.randn(n, d, requires_grad=True)
log_t = torch.tensor(0.5, requires_grad=True)

ni = img / img.norm(dim=1, keepdim=True)
nt = txt / txt.norm(dim=1, keepdim=True)
cos = ni @ nt.T
sim = cos * log_t.exp()
target = torch.arange(n)
loss = (F.cross_entropy(sim, target) + F.cross_entropy(sim.T, target)) / 2

eye = torch.eye(n)
dsim = (sim.softmax(1) - eye) / n / 2 + (sim.softmax(0) - eye) / n / 2
dlog_t = (dsim * sim).sum()
dcos = dsim * log_t.exp()
dni = dcos @ nt
dnt = dcos.T @ ni
dimg = (dni - ni * (dni * ni).sum(1, keepdim=True)) / img.norm(dim=1, keepdim=True)
dtxt = (dnt - nt * (dnt * nt).sum(1, keepdim=True)) / txt.norm(dim=1, keepdim=True)
