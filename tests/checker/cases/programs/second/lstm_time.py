"""An LSTM written out for two steps, with a loss at each step."""

import torch
import torch.nn.functional as F

gen = torch.Generator().manual_seed(9)
nb, ni, nh, nv = 3, 2, 4, 5
x0 = torch.randn(nb, ni, generator=gen)
x1 = torch.randn(nb, ni, generator=gen)
t0 = torch.randint(0, nv, (nb,), generator=gen)
t1 = torch.randint(0, nv, (nb,), generator=gen)
W = (torch.randn(ni + nh, 4 * nh, generator=gen) * 0.5).requires_grad_()
b = torch.zeros(4 * nh, requires_grad=True)
V = torch.randn(nh, nv, generator=gen, requires_grad=True)
hstart = torch.zeros(nb, nh)
cstart = torch.randn(nb, nh, generator=gen) * 0.1

# step 0
cat0 = torch.cat((x0, hstart), 1)
a0 = cat0 @ W + b
i0, f0, o0 = a0[:, :nh].sigmoid(), a0[:, nh : 2 * nh].sigmoid(), a0[:, 2 * nh : 3 * nh].sigmoid()
g0 = a0[:, 3 * nh :].tanh()
c0 = f0 * cstart + i0 * g0
h0 = o0 * c0.tanh()
# step 1
cat1 = torch.cat((x1, h0), 1)
a1 = cat1 @ W + b
i1, f1, o1 = a1[:, :nh].sigmoid(), a1[:, nh : 2 * nh].sigmoid(), a1[:, 2 * nh : 3 * nh].sigmoid()
g1 = a1[:, 3 * nh :].tanh()
c1 = f1 * c0 + i1 * g1
h1 = o1 * c1.tanh()
logits0 = h0 @ V
logits1 = h1 @ V
loss = F.cross_entropy(logits0, t0) + F.cross_entropy(logits1, t1)

# backward
dlogits1 = (logits1.softmax(1) - F.one_hot(t1, nv)) / nb
dlogits0 = (logits0.softmax(1) - F.one_hot(t0, nv)) / nb
dV = h0.T @ dlogits0 + h1.T @ dlogits1
dh1 = dlogits1 @ V.T
do1 = dh1 * c1.tanh()
dc1 = dh1 * o1 * (1 - c1.tanh() ** 2)
df1 = dc1 * c0
di1 = dc1 * g1
dg1 = dc1 * i1
da1 = torch.cat((di1 * i1 * (1 - i1), df1 * f1 * (1 - f1), do1 * o1 * (1 - o1), dg1 * (1 - g1**2)), 1)
dcat1 = da1 @ W.T
dh0 = dlogits0 @ V.T
dh0 += dcat1[:, ni:]
do0 = dh0 * c0.tanh()
dc0 = dc1 * f1 + dh0 * o0 * (1 - c0.tanh() ** 2)
df0 = dc0 * cstart
di0 = dc0 * g0
dg0 = dc0 * i0
da0 = torch.cat((di0 * i0 * (1 - i0), df0 * f0 * (1 - f0), do0 * o0 * (1 - o0), dg0 * (1 - g0**2)), 1)
dW = cat0.T @ da0 + cat1.T @ da1
db = (da0 + da1).sum(0)
