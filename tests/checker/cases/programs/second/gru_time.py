"""A GRU over a few steps with the states kept in lists, and a loss at the last state."""

import torch

torch.manual_seed(8)
steps, nb, ni, nh = 4, 3, 2, 5
seq = torch.randn(steps, nb, ni)
want = torch.randn(nb, nh)
Wz, Wr, Wn = (torch.randn(ni, nh, requires_grad=True) for _ in range(3))
Uz, Ur, Un = ((torch.randn(nh, nh) * 0.5).requires_grad_() for _ in range(3))
bz = torch.zeros(nh, requires_grad=True)
br = torch.zeros(nh, requires_grad=True)
bn = torch.zeros(nh, requires_grad=True)

# forward
states, zs, rs, ns, us = [torch.zeros(nb, nh)], [], [], [], []
for t in range(steps):
    prev = states[-1]
    z = torch.sigmoid(seq[t] @ Wz + prev @ Uz + bz)
    r = torch.sigmoid(seq[t] @ Wr + prev @ Ur + br)
    u = prev @ Un
    n = torch.tanh(seq[t] @ Wn + r * u + bn)
    states.append((1 - z) * n + z * prev)
    zs.append(z)
    rs.append(r)
    ns.append(n)
    us.append(u)
last = states[-1]
loss = ((last - want) ** 2).sum() / nb

# backward
dWz, dWr, dWn = torch.zeros_like(Wz), torch.zeros_like(Wr), torch.zeros_like(Wn)
dUz, dUr, dUn = torch.zeros_like(Uz), torch.zeros_like(Ur), torch.zeros_like(Un)
dbz, dbr, dbn = torch.zeros_like(bz), torch.zeros_like(br), torch.zeros_like(bn)
dlast = 2 * (last - want) / nb
carry = dlast
for t in range(steps - 1, -1, -1):
    prev = states[t]
    gz = carry * (prev - ns[t]) * zs[t] * (1 - zs[t])
    gn = carry * (1 - zs[t]) * (1 - ns[t] ** 2)
    gr = gn * us[t] * rs[t] * (1 - rs[t])
    gu = gn * rs[t]
    dWz += seq[t].T @ gz
    dWr += seq[t].T @ gr
    dWn += seq[t].T @ gn
    dUz += prev.T @ gz
    dUr += prev.T @ gr
    dUn += prev.T @ gu
    dbz += gz.sum(0)
    dbr += gr.sum(0)
    dbn += gn.sum(0)
    carry = carry * zs[t] + gz @ Uz.T + gr @ Ur.T + gu @ Un.T
