"""A neuron of plain numbers, as tensors without dimensions."""

import torch

x1 = torch.tensor(2.0, requires_grad=True)
x2 = torch.tensor(0.0, requires_grad=True)
w1 = torch.tensor(-3.0, requires_grad=True)
w2 = torch.tensor(1.0, requires_grad=True)
b = torch.tensor(6.8813735870195432, requires_grad=True)

x1w1 = x1 * w1
x2w2 = x2 * w2
summed = x1w1 + x2w2
n = summed + b
o = n.tanh()
loss = o

do = torch.tensor(1.0)
dn = (1 - o**2) * do
db = dn
dsummed = dn
dx1w1 = dsummed
dx2w2 = dsummed
dx1 = w1 * dx1w1
dw1 = x1 * dx1w1
dx2 = w2 * dx2w2
dw2 = x2 * dx2w2
