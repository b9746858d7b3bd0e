"""Ratings by matrix factorisation with biases, a Huber loss, and L2 terms on the looked-up rows."""

import torch

torch.manual_seed(0)
n_users, n_items, rank, n_obs = 5, 4, 3, 12
users = torch.randint(0, n_users, (n_obs,))
items = torch.randint(0, n_items, (n_obs,))
ratings = torch.randint(1, 6, (n_obs,)).float()
lam, delta = 0.1, 1.0

P = torch.randn(n_users, rank, requires_grad=True)
Q = torch.randn(n_items, rank, requires_grad=True)
bu = torch.zeros(n_users, requires_grad=True)
bi = torch.zeros(n_items, requires_grad=True)
mu = torch.tensor(3.0, requires_grad=True)

pu = P[users]
qi = Q[items]
dot = (pu * qi).sum(1)
pred = mu + bu[users] + bi[items] + dot
resid = pred - ratings
small = resid.abs() <= delta
huber = torch.where(small, 0.5 * resid**2, delta * (resid.abs() - 0.5 * delta))
l2 = lam * ((pu**2).sum() + (qi**2).sum()) / n_obs
loss = huber.mean() + l2

dhuber = torch.full_like(huber, 1 / n_obs)
dresid = dhuber * torch.where(small, resid, delta * resid.sign())
dpred = dresid
dmu = dpred.sum()
ddot = dpred
dbu = torch.zeros_like(bu).index_add_(0, users, dpred)
dbi = torch.zeros_like(bi).index_add_(0, items, dpred)
dpu = ddot.unsqueeze(1) * qi + 2 * lam * pu / n_obs
dqi = ddot.unsqueeze(1) * pu + 2 * lam * qi / n_obs
dP = torch.zeros_like(P)
dP.scatter_add_(0, users.unsqueeze(1).expand(-1, rank), dpu)
dQ = torch.zeros_like(Q)
for row, item in enumerate(items.tolist()):
    dQ[item] += dqi[row]
