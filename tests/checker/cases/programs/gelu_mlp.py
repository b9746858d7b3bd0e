"""A two-layer perceptron with GELU in its tanh form."""

import math

import torch

n, n_in, n_mid, n_out = 8, 3, 7, 2
g = torch.Generator().manual_seed(6)
X = torch.randn(n, n_in, generator=g)
Y = torch.randn(n, n_out, generator=g)
W1 = torch.randn(n_in, n_mid, generator=g, requires_grad=True)
b1 = torch.randn(n_mid, generator=g, requires_grad=True)
W2 = torch.randn(n_mid, n_out, generator=g, requires_grad=True)
b2 = torch.randn(n_out, generator=g, requires_grad=True)
s = math.sqrt(2 / math.pi)

# forward
u = X @ W1 + b1
u3 = u**3
inner = s * (u + 0.044715 * u3)
t = torch.tanh(inner)
a = 0.5 * u * (1 + t)
pred = a @ W2 + b2
diff = pred - Y
loss = (diff**2).sum() / n

# backward
ddiff = 2 / n * diff
dpred = ddiff.clone()
db2 = dpred.sum(0)
dW2 = a.T @ dpred
da = dpred @ W2.T
dt = 0.5 * u * da
dinner = (1 - t**2) * dt
du3 = s * 0.044715 * dinner
du = 0.5 * (1 + t) * da + s * dinner + 3 * u**2 * du3
db1 = du.sum(0)
dW1 = X.T @ du
